"""The clock that a composition root hands to whoever needs the time; deciders get theirs in the command."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
"""The district's time: dates of postings, deadlines and half-years are dates there."""


class Clock(Protocol):
    """What time it is for the programme. Tokens and sessions never ask this one: they expire in real time."""

    @property
    def simulated(self) -> bool: ...

    def now(self) -> datetime:
        """Aware, in Asia/Shanghai."""
        ...

    def today(self) -> date: ...


class RealClock:
    simulated = False

    def now(self) -> datetime:
        return datetime.now(ZONE)

    def today(self) -> date:
        return self.now().date()


class SimulatedClock:
    """Stands still until it is moved, and never goes back: a ledger's times do not decrease."""

    simulated = True

    def __init__(self, at: datetime) -> None:
        self._at = _aware(at)

    def now(self) -> datetime:
        return self._at

    def today(self) -> date:
        return self._at.date()

    def move(self, to: datetime) -> None:
        """ValueError when `to` is earlier than now."""
        to = _aware(to)
        if to < self._at:
            raise ValueError("a simulated clock only moves forward")
        self._at = to


class FollowingClock:
    """A simulated clock whose moment lives elsewhere (a database row): `read` gives it, from memory, at every call."""

    simulated = True

    def __init__(self, read: Callable[[], datetime]) -> None:
        self._read = read

    def now(self) -> datetime:
        return _aware(self._read())

    def today(self) -> date:
        return self.now().date()


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return at.astimezone(ZONE)
