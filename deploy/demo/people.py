"""The cadres of the demo district and the posts that they held before."""

import random
from datetime import date, timedelta
from typing import Final

from xiapai_contracts.terms import Rank, Sex

from deploy.demo import names
from deploy.demo.units import DIVISION, Units
from services.registry.codes import make_identity_number
from services.registry.workbook.rows import CadreRow, EarlierPostRow

PARTIES: Final = ("中共党员", "中共党员", "中共党员", "中共党员", "群众", "群众", "民建会员", "共青团员")
_DUTIES: Final = {
    Rank.DISTRICT_LEADER: ("副区长", "区委常委", "区人大常委会副主任", "区政协副主席"),
    Rank.DIVISION_HEAD: ("局长", "主任"),
    Rank.DEPUTY_DIVISION_HEAD: ("副局长", "副主任"),
    Rank.SECTION_HEAD: ("科长", "四级调研员"),
    Rank.DEPUTY_SECTION_HEAD: ("副科长", "副主任科员"),
    Rank.MIDDLE_MANAGER: ("股长", "办公室主任"),
    Rank.STAFF: ("科员", "干事"),
    Rank.PROFESSIONAL: ("主治医师", "一级教师", "工程师"),
    Rank.OTHER: ("工作人员",),
}
_AGES: Final = {
    Rank.DISTRICT_LEADER: (42, 57),
    Rank.DIVISION_HEAD: (40, 57),
    Rank.DEPUTY_DIVISION_HEAD: (36, 55),
    Rank.SECTION_HEAD: (33, 55),
}
GRASSROOTS_DUTIES: Final = (
    ("镇长", True),
    ("党委书记", True),
    ("副镇长", False),
    ("村党支部第一书记", False),
    ("干事", False),
)


class People:
    """Makes cadres one by one; numbers, names and identity numbers follow from the seed alone."""

    def __init__(self, chance: random.Random, units: Units) -> None:
        self._chance = chance
        self._units = units
        self._sequences: dict[tuple[date, Sex], int] = {}
        self.cadres: list[CadreRow] = []
        self.earlier: list[EarlierPostRow] = []

    def add(
        self, sender: str, rank: Rank, name: str | None = None, born: date | None = None, sex: Sex | None = None
    ) -> CadreRow:
        """One more cadre of that sending unit; what is not given is drawn."""
        chance = self._chance
        sex = sex or chance.choice((Sex.MALE, Sex.MALE, Sex.FEMALE))
        if born is None:
            low, high = _AGES.get(rank, (26, 54))
            born = date(2026, 1, 1) - timedelta(chance.randrange(low * 365, high * 365))
        number = len(self.cadres) + 1
        cadre = CadreRow(
            code=f"R{number:06d}",
            name=name or names.person(chance),
            born=born,
            rank=rank,
            sender=sender,
            identity_number=make_identity_number(DIVISION, born, self._sequence(born, sex)),
            sex=sex,
            # No mobile number begins with 100, so none of these can ring.
            phone=f"100{number:08d}",
            duty=chance.choice(_DUTIES[rank]),
            party=chance.choice(PARTIES),
        )
        self.cadres.append(cadre)
        if chance.random() < 0.7:
            self._earlier_posts(cadre)
        return cadre

    def _sequence(self, born: date, sex: Sex) -> int:
        """Odd for men, even for women, each once per birth date."""
        last = self._sequences.get((born, sex), -1 if sex is Sex.MALE else 0)
        self._sequences[born, sex] = last + 2
        return last + 2

    def _earlier_posts(self, cadre: CadreRow) -> None:
        chance = self._chance
        starts = date(cadre.born.year + 22, 7, 1)
        for _ in range(chance.choice((1, 1, 2, 3))):
            ends = starts + timedelta(chance.randrange(500, 2500))
            if ends >= date(2023, 12, 31):
                return
            if chance.random() < 0.35:
                duty, principal = chance.choice(GRASSROOTS_DUTIES)
                unit, unit_name = chance.choice(self._units.townships), None
            elif chance.random() < 0.8:
                duty, principal = chance.choice(_DUTIES[Rank.STAFF]), False
                unit, unit_name = cadre.sender, None
            else:
                duty, principal = "职员", False
                unit, unit_name = None, f"外县{names.firm(chance.randrange(500))}"
            self.earlier.append(EarlierPostRow(cadre.code, duty, principal, starts, ends, unit, unit_name))
            starts = ends + timedelta(1)
