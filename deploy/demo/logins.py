"""Who can log in at the development issuer: people of every role, placed in the demo district."""

from functools import cache

from xiapai_contracts.terms import CATEGORIES, ZH, Category, Tier

from chassis.identity.demo_people import DemoPerson, demo_people
from deploy.demo.district import build

LEADS = {
    "区委组织部": (Category.RURAL_GUIDE, Category.PARTY_LIAISON, Category.TWO_WAY_EXCHANGE),
    "区委政法委": (Category.PUBLIC_ORDER_ENVOY, Category.LEGAL_VICE_PRINCIPAL),
    "区公安分局": (Category.COMMUNITY_POLICE,),
    "区卫生健康局": (Category.SUPPORT_DOCTOR,),
    "区教育局": (Category.SUPPORT_TEACHER,),
}
"""The lead departments (R2) and the categories that each answers for."""

_KINDS = ("SUBDISTRICT", "TOWN", "VILLAGE", "SCHOOL", "TOWNSHIP_HOSPITAL", "ENTERPRISE")


@cache
def people() -> tuple[DemoPerson, ...]:
    """One or two of each role; the units and cadres are those of the demo's workbook."""
    district = build()
    names = {unit.name: unit.code for unit in district.units}
    hosts = {posting.host for posting in district.postings if posting.arrived}
    units = {}
    for kind in _KINDS:
        unit = next(unit for unit in district.units if unit.kind == kind and (unit.code in hosts or kind in _KINDS[:2]))
        units[unit.code] = f"{unit.name}({ZH[unit.kind]})"
    cadres = {}
    for tier in Tier:
        posting = next(p for p in district.postings if p.tier == tier and p.category == CATEGORIES[tier][0])
        cadres[posting.person] = f"{ZH[tier]}{ZH[posting.category]}"
    return tuple(
        demo_people(
            departments={
                names[name]: (name, tuple(category.value for category in categories))
                for name, categories in LEADS.items()
            },
            units=units,
            cadres=cadres,
        )
    )
