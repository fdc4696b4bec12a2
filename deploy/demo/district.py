"""Puts the demo district together: units, cadres, earlier posts, postings, in the shapes of the public figures."""

import random
from dataclasses import dataclass

from deploy.demo.people import People
from deploy.demo.postings import Postings
from deploy.demo.programme import fill
from deploy.demo.units import build_units
from services.registry.workbook.rows import CadreRow, EarlierPostRow, PostingRow, Record, UnitRow


@dataclass(frozen=True, slots=True)
class District:
    """All rows of the workbook."""

    units: list[UnitRow]
    cadres: list[CadreRow]
    earlier: list[EarlierPostRow]
    postings: list[PostingRow]

    def sheets(self) -> dict[str, list[Record]]:
        """Sheet name -> its rows."""
        return {
            "单位": list(self.units),
            "干部": list(self.cadres),
            "履历": list(self.earlier),
            "派驻": list(self.postings),
        }


def build(times: int = 1, seed: int = 1) -> District:
    """The district, or ``times`` of it in one. Equal arguments give equal rows."""
    chance = random.Random(seed)
    units = build_units(times)
    people = People(chance, units)
    postings = Postings(chance)
    fill(units, people, postings, times)
    return District(units.rows, people.cadres, people.earlier, postings.rows)
