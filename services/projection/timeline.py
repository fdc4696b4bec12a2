"""A value that changes on given days: two lists, the days in rising order and what holds from each.

In the tables they are two arrays, and what holds on a day is ``vals[width_bucket(day, since)]``.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

T = TypeVar("T")

ALWAYS = date(1, 1, 2)
"""Before all days that somebody can mean. Not the first day that Python knows: where rows are copied, the driver writes that as
minus infinity, and in a document it is a day."""


@dataclass(frozen=True, slots=True)
class Timeline(Generic[T]):
    """``values[i]`` holds from day ``since[i]``; the first from the beginning."""

    since: tuple[date, ...]
    values: tuple[T, ...]

    @classmethod
    def always(cls, value: T) -> "Timeline[T]":
        return cls((ALWAYS,), (value,))

    @classmethod
    def of(cls, since: Sequence[date], values: Sequence[T]) -> "Timeline[T]":
        return cls(tuple(since), tuple(values))

    def change(self, on: date, value: T) -> "Timeline[T]":
        """From ``on`` until the next change already known; a change on the same day replaces."""
        at = bisect_left(self.since, on)
        after = bisect_right(self.since, on)
        return Timeline((*self.since[:at], on, *self.since[after:]), (*self.values[:at], value, *self.values[after:]))

    @property
    def last(self) -> T:
        return self.values[-1]
