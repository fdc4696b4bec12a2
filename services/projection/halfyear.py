"""半年 the half-year, in which the programme reports."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

_WRITTEN = re.compile(r"(19[0-9]{2}|2[01][0-9]{2})H([12])")


@dataclass(frozen=True, slots=True)
class HalfYear:
    """``half`` is 1 or 2; written 2026H1."""

    year: int
    half: int

    @classmethod
    def read(cls, text: str) -> "HalfYear | None":
        """From ``2026H1`` (1900 to 2199); None for anything else."""
        found = _WRITTEN.fullmatch(text)
        return cls(int(found[1]), int(found[2])) if found else None

    @classmethod
    def of(cls, day: date) -> "HalfYear":
        return cls(day.year, 1 if day.month <= 6 else 2)

    @property
    def first(self) -> date:
        return date(self.year, 1 if self.half == 1 else 7, 1)

    @property
    def last(self) -> date:
        return date(self.year, 7, 1) - timedelta(days=1) if self.half == 1 else date(self.year, 12, 31)

    @property
    def before(self) -> "HalfYear":
        return HalfYear(self.year, 1) if self.half == 2 else HalfYear(self.year - 1, 2)

    @property
    def after(self) -> "HalfYear":
        return HalfYear(self.year, 2) if self.half == 1 else HalfYear(self.year + 1, 1)

    def __str__(self) -> str:
        return f"{self.year}H{self.half}"
