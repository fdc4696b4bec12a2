"""Which hosts a category allows, and whether a cadre may hold several such postings at once: configuration with
effective dates (R2, the table of the workbook), never a constant in the logic."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from xiapai_contracts.terms import Category

from chassis.dated import BadRules, Dated, load_dated
from services.registry.posting_terms import CategoryRule

DEFAULT = Path(__file__).with_name("category_rules.toml")


@dataclass(frozen=True, slots=True)
class CategoryTable:
    """The rule of every category, so that a table can be read alone."""

    category: dict[Category, CategoryRule]


@dataclass(frozen=True, slots=True)
class CategoryRules:
    """The table of each day from which one takes effect."""

    tables: Dated[CategoryTable]

    def on(self, day: date, category: Category) -> CategoryRule:
        """The rule in force on ``day``; before the first table, the first one holds."""
        return self.tables.on(day).category[category]


def load(path: Path | None = None) -> CategoryRules:
    """The rules of a TOML file, by default the committed one, which shows how it is written.

    Raises:
        BadRules: it cannot be read, a category is missing, a kind is unknown, or a date stands twice.
    """
    where = path or DEFAULT
    tables = load_dated(where, CategoryTable)
    for day, table in zip(tables.days, tables.rules, strict=True):
        missing = sorted(set(Category) - set(table.category))
        if missing:
            raise BadRules(f"{where}: the rule from {day} lacks {', '.join(missing)}; every rule lists every category")
        hostless = sorted(category for category, rule in table.category.items() if not rule.hosts)
        if hostless:
            raise BadRules(f"{where}: the rule from {day} allows {', '.join(hostless)} no host; name one or more kinds")
    return CategoryRules(tables)
