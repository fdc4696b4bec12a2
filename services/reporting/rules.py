"""How often a report is owed and by when (R17): configuration with effective dates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from chassis.dated import Dated, load_dated

DEFAULT = Path(__file__).with_name("rules.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRule:
    """A report covers ``every_months`` calendar months and is due ``due_days`` days after the last of them."""

    every_months: Annotated[int, Meta(ge=1, le=24)]
    due_days: Annotated[int, Meta(ge=0, le=366)]


def load(path: Path = DEFAULT) -> Dated[ReportRule]:
    """The rules of a TOML file, by default the committed one.

    Raises:
        BadRules: the file does not hold.
    """
    return load_dated(path, ReportRule)
