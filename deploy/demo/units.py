"""The units of the demo district, in the shapes of the public figures."""

from dataclasses import dataclass, field
from typing import Final

from xiapai_contracts.terms import UnitKind

from deploy.demo import names
from services.registry.codes import make_credit_code
from services.registry.workbook.rows import UnitRow

DIVISION: Final = "990117"
"""Not assigned, so no real person or unit can match."""

VILLAGES: Final = 548
COMMUNITIES: Final = 92
SCHOOLS: Final = 118
HOSPITALS: Final = 16
CLINICS: Final = 520
ENTERPRISES: Final = 1_850
POOR_VILLAGES: Final = 47

_TOWNSHIP_KINDS: Final = {
    "街道": UnitKind.SUBDISTRICT,
    "镇": UnitKind.TOWN,
    "场": UnitKind.FARM,
    "管理处": UnitKind.MANAGEMENT_OFFICE,
}
_CREDIT_CLASS: Final = {
    UnitKind.ENTERPRISE: "91",
    UnitKind.VILLAGE: "54",
    UnitKind.COMMUNITY: "55",
    UnitKind.SCHOOL: "12",
    UnitKind.TOWNSHIP_HOSPITAL: "12",
}


@dataclass
class Units:
    """All units, and the codes of each group in order."""

    rows: list[UnitRow] = field(default_factory=list)
    city: list[str] = field(default_factory=list)
    departments: list[str] = field(default_factory=list)
    townships: list[str] = field(default_factory=list)
    villages: list[str] = field(default_factory=list)
    communities: list[str] = field(default_factory=list)
    schools: list[str] = field(default_factory=list)
    hospitals: list[str] = field(default_factory=list)
    clinics: list[str] = field(default_factory=list)
    enterprises: list[str] = field(default_factory=list)
    zones: list[str] = field(default_factory=list)

    def department(self, name: str) -> str:
        """The code of the district department of that name (the first, where the district is built several times)."""
        return self.departments[names.DEPARTMENTS.index(name)]

    def add(
        self, group: list[str], code: str, name: str, kind: UnitKind, parent: str | None = None, poor: bool = False
    ) -> None:
        credit = None
        if kind is not UnitKind.VILLAGE_CLINIC:
            # The first department gets 119901179A00000103, the example of the demo's description.
            serial = f"9A{len(self.rows) + 10:07d}"
            credit = make_credit_code(_CREDIT_CLASS.get(kind, "11") + DIVISION + serial)
        group.append(code)
        self.rows.append(UnitRow(code, name, kind, parent, credit, poor, DIVISION))


def build_units(times: int) -> Units:
    """Every group ``times`` over. A village's row stands above its township's, as happens in real workbooks."""
    units = Units()
    for number, name in enumerate(names.DEPARTMENTS * times, 1):
        units.add(units.departments, f"{number:04d}", name, UnitKind.DISTRICT_DEPARTMENT)
    for number, name in enumerate(names.CITY_DEPARTMENTS * times, 1):
        units.add(units.city, f"S{number:03d}", name, UnitKind.CITY_DEPARTMENT)
    stems = [
        (f"{stem}{'' if time == 0 else time + 1}", kind) for time in range(times) for stem, kind in names.TOWNSHIPS
    ]
    townships = [f"J{number:04d}" for number in range(1, len(stems) + 1)]
    for number in range(VILLAGES * times):
        poor = number % VILLAGES < POOR_VILLAGES
        units.add(
            units.villages, f"C{number + 1:05d}", names.village(number), UnitKind.VILLAGE, _in(townships, number), poor
        )
    for code, (stem, kind) in zip(townships, stems, strict=True):
        units.add(units.townships, code, stem + kind, _TOWNSHIP_KINDS[kind])
    for number in range(COMMUNITIES * times):
        units.add(
            units.communities, f"Q{number + 1:05d}", names.community(number), UnitKind.COMMUNITY, _in(townships, number)
        )
    for number in range(SCHOOLS * times):
        stem = stems[number % len(stems)][0]
        level = ("中心小学", "中学")[number // len(stems) % 2]
        ordinal = number // len(stems) // 2 + 1
        units.add(
            units.schools, f"X{number + 1:05d}", f"{stem}第{ordinal}{level}", UnitKind.SCHOOL, _in(townships, number)
        )
    for number in range(HOSPITALS * times):
        name = f"{stems[number][0]}卫生院"
        units.add(units.hospitals, f"Y{number + 1:05d}", name, UnitKind.TOWNSHIP_HOSPITAL, townships[number])
    for number in range(CLINICS * times):
        name = f"{names.village(number)}医务室"
        units.add(units.clinics, f"W{number + 1:05d}", name, UnitKind.VILLAGE_CLINIC, units.villages[number])
    for number in range(ENTERPRISES * times):
        units.add(
            units.enterprises, f"E{number + 1:06d}", names.firm(number), UnitKind.ENTERPRISE, _in(townships, number)
        )
    for number in range(times):
        units.add(units.zones, f"K{number + 1:03d}", f"{names.DISTRICT}经济开发区", UnitKind.DEVELOPMENT_ZONE)
    return units


def _in(townships: list[str], number: int) -> str:
    return townships[number % len(townships)]
