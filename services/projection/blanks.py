"""The 42 blanks of the situation report, as a table (``blanks.toml``)."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files

import msgspec
from xiapai_contracts.terms import Category, Tier, UnitKind


@dataclass(frozen=True, slots=True)
class People:
    """Counts people of a tier, or of one category of it."""

    tier: Tier
    category: Category | None = None


@dataclass(frozen=True, slots=True)
class Blank:
    """One blank. ``line`` and ``phrase`` are the source report's, ``unit`` is the figure's, ``owed_by`` the unit that
    owes it. At most one of ``people``, ``hosts`` and ``document`` is there; none: the figure is entered."""

    n: int
    line: int
    phrase: str
    unit: str
    owed_by: str
    people: People | None = None
    hosts: tuple[UnitKind, ...] = ()
    document: str = ""

    @property
    def counted(self) -> bool:
        return self.people is not None or bool(self.hosts) or bool(self.document)


def _load() -> tuple[Blank, ...]:
    table = tomllib.loads(files(__package__ or "").joinpath("blanks.toml").read_text("utf-8"))
    return msgspec.convert(table["blank"], tuple[Blank, ...])


BLANKS = _load()
COUNTED = tuple(blank for blank in BLANKS if blank.counted)
