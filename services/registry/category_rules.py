"""Which hosts a category allows, and whether a cadre may hold several such postings at once: configuration with
effective dates (R2, the table of the workbook), never a constant in the logic."""

import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from xiapai_contracts.terms import Category, UnitKind

DEFAULT = Path(__file__).with_name("category_rules.toml")


class BadRules(ValueError):
    """The file of rules does not hold; the message says where and what to write instead."""


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """``hosts``: kinds of unit that may take a cadre of the category. ``several``: several at once are allowed."""

    hosts: frozenset[UnitKind]
    several: bool


@dataclass(frozen=True, slots=True)
class CategoryRules:
    """The table of each day from which one takes effect, the days ascending."""

    days: tuple[date, ...]
    tables: tuple[Mapping[Category, CategoryRule], ...]

    def on(self, day: date, category: Category) -> CategoryRule:
        """The rule in force on ``day``; before the first table, the first one holds."""
        return self.tables[max(bisect_right(self.days, day) - 1, 0)][category]


def load(path: Path | None = None) -> CategoryRules:
    """The rules of a TOML file, by default the committed one.

    Each ``[[table]]`` has ``from``, a date, and under ``category.<CODE>`` ``hosts`` (kinds of unit) and ``several``
    (true or false). Every table lists every category, so that a table can be read alone.

    Raises:
        BadRules: it cannot be read, a category is missing, a kind is unknown, or a date stands twice.
    """
    where = path or DEFAULT
    try:
        said = tomllib.loads(where.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRules(f"{where}: cannot be read ({error}); write it like category_rules.toml") from error
    tables = said.get("table")
    if not isinstance(tables, list) or not tables:
        raise BadRules(f"{where}: no [[table]] in it; write at least one with its date `from`")
    dated: dict[date, Mapping[Category, CategoryRule]] = {}
    for number, table in enumerate(tables, 1):
        here = f"{where}, table {number}"
        day = table.get("from")
        if type(day) is not date:
            raise BadRules(f"{here}: no date `from`; write from = 2026-01-01")
        if day in dated:
            raise BadRules(f"{here}: another table takes effect on {day} too; keep one")
        dated[day] = _table(here, table.get("category"))
    days = tuple(sorted(dated))
    return CategoryRules(days, tuple(dated[day] for day in days))


def _table(here: str, said: object) -> Mapping[Category, CategoryRule]:
    if not isinstance(said, dict) or set(said) != set(Category):
        raise BadRules(f"{here}: `category` must list exactly these: {', '.join(Category)}")
    return {category: _rule(f"{here}, {category}", said[category]) for category in Category}


def _rule(here: str, said: object) -> CategoryRule:
    match said:
        case {"hosts": list(hosts), "several": bool(several)} if hosts and all(kind in set(UnitKind) for kind in hosts):
            return CategoryRule(frozenset(UnitKind(kind) for kind in hosts), several)
        case _:
            raise BadRules(f"{here}: write hosts = [one or more of {', '.join(UnitKind)}] and several = true or false")
