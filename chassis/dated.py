"""Rules that change on a day: configuration with effective dates, never a constant in the logic."""

import tomllib
from bisect import bisect_right
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class BadRules(ValueError):
    """A file of rules does not hold; the message says where and what to write instead."""


@dataclass(frozen=True, slots=True)
class Dated(Generic[T]):
    """The rule of each day from which one takes effect, the days ascending."""

    days: tuple[date, ...]
    rules: tuple[T, ...]

    def on(self, day: date) -> T:
        """The rule in force on ``day``; before the first one, the first holds."""
        return self.rules[max(bisect_right(self.days, day) - 1, 0)]


def load_dated(path: Path, rule: type[T]) -> Dated[T]:
    """The rules of a TOML file: each ``[[rule]]`` has ``from``, a date, and the fields of the dataclass ``rule``.

    Raises:
        BadRules: it cannot be read, a field is missing, unknown or out of its bounds, or a date stands twice.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8")).get("rule")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRules(f"{path}: cannot be read ({error}); write it as TOML in UTF-8") from error
    if not isinstance(said, list) or not said:
        raise BadRules(f"{path}: no [[rule]] in it; write at least one with its date `from`")
    dated: dict[date, T] = {}
    for number, entry in enumerate(said, 1):
        here = f"{path}, rule {number}"
        day = entry.pop("from", None) if isinstance(entry, dict) else None
        if type(day) is not date:
            raise BadRules(f"{here}: no date `from`; write from = 2026-01-01")
        if day in dated:
            raise BadRules(f"{here}: another rule takes effect on {day} too; keep one")
        dated[day] = _rule(here, entry, rule)
    days = tuple(sorted(dated))
    return Dated(days, tuple(dated[day] for day in days))


def _rule(here: str, entry: dict[str, Any], rule: type[T]) -> T:
    known = [field.name for field in fields(rule)]  # type: ignore[arg-type]
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise BadRules(f"{here}: unknown field {unknown[0]}; known are {', '.join(known)}")
    try:
        return msgspec.convert(entry, rule)
    except msgspec.ValidationError as error:
        raise BadRules(f"{here}: {error}; correct it") from error
