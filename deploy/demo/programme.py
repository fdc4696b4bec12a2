"""Who is posted where in the demo district: how many of each category, at which hosts.

The figures are those of the district's description: 62 city-sent and 1,086 district-sent people, who reach 16
township-level units, 396 villages, 88 communities, 118 schools, 16 hospitals, 104 clinics and 128 enterprises.
"""

from dataclasses import replace
from datetime import date
from typing import Final

from xiapai_contracts.terms import Category, EndReason, ExchangeDirection, Rank, Sex, Tier

from deploy.demo import names
from deploy.demo.edges import ENDED_BEFORE_THE_MERGER, RUNS_ON
from deploy.demo.people import People
from deploy.demo.postings import Postings
from deploy.demo.units import Units
from services.registry.workbook.rows import CadreRow

VILLAGES_REACHED: Final = 396
COMMUNITIES_REACHED: Final = 88
CLINICS_REACHED: Final = 104
ENTERPRISES_REACHED: Final = 128

_OFFICERS: Final = (
    (Rank.STAFF,) * 4
    + (Rank.DEPUTY_SECTION_HEAD,) * 3
    + (Rank.MIDDLE_MANAGER, Rank.MIDDLE_MANAGER, Rank.SECTION_HEAD, Rank.DEPUTY_DIVISION_HEAD)
)
_LAW: Final = ("区公安分局", "区法院", "区检察院", "区司法局")
_HEALTH: Final = ("区人民医院", "区中医医院", "区疾控中心")

# Cadres of whom something particular is told, by their place among the rural guides.
_EXAMPLES: Final[dict[int, tuple[Rank, str | None, date, Sex]]] = {
    0: (Rank.STAFF, None, date(1978, 3, 15), Sex.MALE),
    1: (Rank.STAFF, None, date(1982, 6, 7), Sex.FEMALE),
    2: (Rank.DIVISION_HEAD, None, date(1976, 6, 30), Sex.MALE),
    3: (Rank.DEPUTY_DIVISION_HEAD, None, date(1981, 6, 30), Sex.MALE),
    4: (Rank.STAFF, "单砚生", date(1985, 5, 20), Sex.MALE),
    5: (Rank.STAFF, "仇溪宁", date(1988, 11, 2), Sex.FEMALE),
    6: (Rank.STAFF, "解舟远", date(1990, 9, 12), Sex.MALE),
}
_RECALLED: Final = (62, 175, 260)
_ENDED_EARLY: Final = (33, 301)
_SERVED_LAST_YEAR: Final = (20, 21, 22)
_TURN_OF_QUARTER: Final = date(2026, 3, 31)


class _Fill:
    def __init__(self, units: Units, people: People, postings: Postings, times: int) -> None:
        self.units, self.people, self.postings, self.times = units, people, postings, times

    def officer(self, number: int) -> CadreRow:
        senders = self.units.departments
        return self.people.add(senders[number % len(senders)], _OFFICERS[number % len(_OFFICERS)])

    def of(self, names_of_departments: tuple[str, ...], number: int, rank: Rank) -> CadreRow:
        return self.people.add(self.units.department(names_of_departments[number % len(names_of_departments)]), rank)

    def post(self, cadre: CadreRow, category: Category, host: str, tier: Tier = Tier.DISTRICT) -> None:
        self.postings.add(cadre, category, host, self.postings.term(tier), tier)


def fill(units: Units, people: People, postings: Postings, times: int) -> None:
    """Adds every cadre and posting of the district, ``times`` over."""
    work = _Fill(units, people, postings, times)
    _rural_guides(work)
    _communities(work)
    _schools(work)
    _doctors(work)
    _enterprises(work)
    _exchange(work)
    _from_the_city(work)
    _on_their_way(work)


def _rural_guides(work: _Fill) -> None:
    """412: one in each of 396 villages and of 16 township-level units."""
    units, postings = work.units, work.postings
    villages = units.villages[: VILLAGES_REACHED * work.times]
    for number, host in enumerate(villages + units.townships):
        if number in _EXAMPLES:
            rank, name, born, sex = _EXAMPLES[number]
            sender = units.departments[number % len(units.departments)]
            cadre = work.people.add(sender, rank, name, born, sex)
        else:
            cadre = work.officer(number)
        if host == ENDED_BEFORE_THE_MERGER:
            ended = date(2026, 4, 15)
            first = postings.between(date(2025, 3, 3), ended, EndReason.ENDED_EARLY)
            postings.add(cadre, Category.RURAL_GUIDE, host, first)
            postings.add(cadre, Category.RURAL_GUIDE, villages[110], postings.from_day(date(2026, 4, 16)))
        elif host == RUNS_ON:
            postings.add(cadre, Category.RURAL_GUIDE, host, postings.from_day(date(2026, 1, 12)))
        elif number in _RECALLED:
            term = postings.between(date(2025, 3, 3), date(2026, 2, number % 28 + 1), EndReason.RECALLED)
            postings.add(cadre, Category.RURAL_GUIDE, host, term)
        elif number in _ENDED_EARLY:
            term = postings.between(date(2026, 1, 12), date(2026, 5, number % 28 + 1), EndReason.ENDED_EARLY)
            postings.add(cadre, Category.RURAL_GUIDE, host, term)
        elif number in _SERVED_LAST_YEAR:
            # Served elsewhere until the year's end, which does not count in 2026H1; posted again since.
            last = postings.between(date(2025, 3, 3), date(2025, 12, 31), EndReason.ENDED_EARLY)
            postings.add(cadre, Category.RURAL_GUIDE, villages[number + 200], last)
            postings.add(cadre, Category.RURAL_GUIDE, host, postings.from_day(date(2026, 1, 12)))
        else:
            work.post(cadre, Category.RURAL_GUIDE, host)


def _communities(work: _Fill) -> None:
    """92 Party liaisons and 138 police officers in 88 communities."""
    units, postings = work.units, work.postings
    hosts = units.communities[: COMMUNITIES_REACHED * work.times]
    for number in range(92 * work.times):
        cadre = work.officer(number)
        host = hosts[number % len(hosts)]
        if number == 10:
            first = postings.between(date(2026, 1, 12), _TURN_OF_QUARTER, EndReason.ENDED_EARLY)
            postings.add(cadre, Category.RURAL_GUIDE, units.villages[120], first)
            postings.add(cadre, Category.PARTY_LIAISON, host, postings.from_day(date(2026, 4, 1)))
        else:
            work.post(cadre, Category.PARTY_LIAISON, host)
    for number in range(138 * work.times):
        name = "王禾平" if number < 2 else None
        cadre = work.people.add(units.department("区公安分局"), Rank.STAFF, name)
        host = hosts[number % len(hosts)]
        if number == 10:
            first = postings.between(date(2025, 9, 1), _TURN_OF_QUARTER, EndReason.ENDED_EARLY)
            postings.add(cadre, Category.COMMUNITY_POLICE, hosts[40], first)
            postings.add(cadre, Category.COMMUNITY_POLICE, host, postings.from_day(date(2026, 4, 1)))
        else:
            work.post(cadre, Category.COMMUNITY_POLICE, host)


def _schools(work: _Fill) -> None:
    """118 legal vice-principals, one in each school, and 96 teachers."""
    units, postings = work.units, work.postings
    for number, host in enumerate(units.schools):
        cadre = work.of(_LAW, number, Rank.DEPUTY_SECTION_HEAD)
        if number == 10:
            first = postings.between(date(2025, 9, 1), _TURN_OF_QUARTER, EndReason.ENDED_EARLY)
            postings.add(cadre, Category.LEGAL_VICE_PRINCIPAL, units.schools[40], first)
            postings.add(cadre, Category.LEGAL_VICE_PRINCIPAL, host, postings.from_day(date(2026, 4, 1)))
        else:
            work.post(cadre, Category.LEGAL_VICE_PRINCIPAL, host)
    for number in range(96 * work.times):
        work.post(work.of(("区教育局",), 0, Rank.PROFESSIONAL), Category.SUPPORT_TEACHER, units.schools[number])


def _doctors(work: _Fill) -> None:
    """74 doctors at 16 hospitals and 104 clinics: 46 of them at two places."""
    hosts = work.units.hospitals + work.units.clinics[: CLINICS_REACHED * work.times]
    doctors = [work.of(_HEALTH, number, Rank.PROFESSIONAL) for number in range(74 * work.times)]
    for number, host in enumerate(hosts):
        work.post(doctors[number % len(doctors)], Category.SUPPORT_DOCTOR, host)


def _enterprises(work: _Fill) -> None:
    """32 leaders with two of 128 enterprises each, 64 liaisons with one; two leaders also with the development zone."""
    units, postings = work.units, work.postings
    firms = units.enterprises[: ENTERPRISES_REACHED * work.times]
    leaders = 32 * work.times
    for number in range(leaders):
        born = date(1974, 6, 30) if number == 0 else None
        offices = ("区委办公室", "区政府办公室", "区人大办", "区政协办")
        cadre = work.people.add(units.department(offices[number % 4]), Rank.DISTRICT_LEADER, born=born)
        for host in (firms[number], firms[leaders + number]):
            work.post(cadre, Category.ENTERPRISE_LEADER, host)
        if number < 2:
            postings.add(cadre, Category.ENTERPRISE_LEADER, units.zones[0], postings.from_day(date(2026, 2, 2)))
    for host in firms[2 * leaders :]:
        work.post(work.officer(len(work.people.cadres)), Category.ENTERPRISE_LIAISON, host)


def _exchange(work: _Fill) -> None:
    """60: half from departments to township-level units, half the other way."""
    units, postings = work.units, work.postings
    for number in range(30 * work.times):
        cadre = work.officer(number)
        host = units.townships[number % len(units.townships)]
        direction = ExchangeDirection.TO_GRASSROOTS
        postings.add(cadre, Category.TWO_WAY_EXCHANGE, host, postings.term(), direction=direction)
    for number in range(30 * work.times):
        sender = units.townships[number % len(units.townships)]
        cadre = work.people.add(sender, _OFFICERS[number % len(_OFFICERS)])
        host = units.departments[number % len(units.departments)]
        direction = ExchangeDirection.TO_DEPARTMENT
        postings.add(cadre, Category.TWO_WAY_EXCHANGE, host, postings.term(), direction=direction)


def _from_the_city(work: _Fill) -> None:
    """62 = 28 rural guides + 14 public-order envoys + 11 doctors + 9 teachers; one doctor at two places."""
    units = work.units
    code_of = dict(zip(names.CITY_DEPARTMENTS, units.city, strict=False))
    plan = (
        (28, Category.RURAL_GUIDE, ("市委组织部", "市农业农村局", "市财政局"), units.villages),
        (14, Category.PUBLIC_ORDER_ENVOY, ("市委政法委", "市公安局", "市司法局"), units.townships),
        (11, Category.SUPPORT_DOCTOR, ("市中心医院", "市卫生健康委"), units.hospitals),
        (9, Category.SUPPORT_TEACHER, ("市第一中学", "市教育局"), units.schools),
    )
    for count, category, senders, hosts in plan:
        for number in range(count * work.times):
            expert = category in (Category.SUPPORT_DOCTOR, Category.SUPPORT_TEACHER)
            rank = Rank.PROFESSIONAL if expert else _CITY_RANKS[number % len(_CITY_RANKS)]
            cadre = work.people.add(code_of[senders[number % len(senders)]], rank)
            work.post(cadre, category, hosts[number * 7 % len(hosts)], Tier.CITY)
            if category is Category.SUPPORT_DOCTOR and number == 0:
                work.post(cadre, category, units.clinics[0], Tier.CITY)


_CITY_RANKS: Final = (Rank.DIVISION_HEAD, Rank.DEPUTY_DIVISION_HEAD, Rank.SECTION_HEAD, Rank.DEPUTY_SECTION_HEAD)


def _on_their_way(work: _Fill) -> None:
    """Four who were proposed and have not arrived: they count in no figure."""
    postings = work.postings
    for number in range(4):
        term = postings.proposed(date(2026, 6, 22) if number == 0 else date(2026, 7, 13))
        if number == 3:
            term = replace(term, basis="广文〔2026〕21号")
        postings.add(work.officer(number), Category.RURAL_GUIDE, work.units.villages[400 + number], term)
