"""What a sheet cannot hold: commands to give after the import. The figures 1-24 are the same before and after them.

Other edge cases stand in the workbook itself: one person with two postings one after the other, two persons of one name
in one unit, birthdays on 2026-06-30 (the day on which a limit of age turns), surnames that pinyin reads wrongly
(单 仇 解), and basis documents in three kinds of brackets.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

MERGED_ON: Final = date(2026, 5, 1)
ENDED_BEFORE_THE_MERGER: Final = "C00101"
"""A village whose only posting ended before it was merged: it still counts as reached itself."""
RUNS_ON: Final = "C00102"
"""A village whose posting runs on: since the merger its successor counts, and it does not."""
ERASED: Final = "R000063"
"""A cadre whose posting was recalled and whose person is erased; the posting still counts."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command: its name as in the registry, the code of what it is given to, and its fields."""

    command: str
    subject: str
    fields: dict[str, str | bool | date | None]
    why: str


def _village(code: str, name: str, why: str) -> Step:
    fields: dict[str, str | bool | date | None] = {
        "name": name,
        "kind": "VILLAGE",
        "parent": "J0005",
        "poor_village": False,
        "division": "990117",
    }
    return Step("RegisterUnit", code, fields, why)


AFTER_IMPORT: Final[tuple[Step, ...]] = (
    _village("C90001", "新合村", "两村合并后的新村 · the successor of two villages"),
    _village("C90002", "分水村", "由大村析出 · split off a large village, so that there are 548 again"),
    Step("MergeUnit", ENDED_BEFORE_THE_MERGER, {"into": "C90001", "on": MERGED_ON}, "期中合并，派驻已先结束"),
    Step("MergeUnit", RUNS_ON, {"into": "C90001", "on": MERGED_ON}, "期中合并，派驻继续"),
    Step("RenameUnit", "X00007", {"name": "双槐实验小学", "on": date(2026, 4, 1)}, "单位更名 · a unit renamed"),
    Step("ErasePerson", ERASED, {"ground": "本人申请"}, "个人信息删除 · a person erased"),
)
