"""In what order rows are taken, and which may be under way at once."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def parents_first(parent_of: dict[str, str | None]) -> tuple[list[list[str]], list[str]]:
    """Levels of unit codes, so that every unit comes after its parent where that is among them; and those that no
    level holds, since their parents form a circle."""
    beneath: dict[str | None, list[str]] = {}
    for code, parent in parent_of.items():
        beneath.setdefault(parent if parent in parent_of else None, []).append(code)
    levels: list[list[str]] = []
    level = beneath.pop(None, [])
    while level:
        levels.append(level)
        level = [child for code in level for child in beneath.pop(code, [])]
    return levels, sorted(code for codes in beneath.values() for code in codes)


def portions(rows: Sequence[T], size: int, same: Callable[[T], object]) -> Iterator[list[T]]:
    """Portions of at least ``size`` rows; neighbours that are the ``same`` stay together."""
    begin = 0
    while begin < len(rows):
        end = min(begin + size, len(rows))
        while end < len(rows) and same(rows[end]) == same(rows[end - 1]):
            end += 1
        yield list(rows[begin:end])
        begin = end


def waves(rows: Iterable[T], writes: Callable[[T], Collection[str]]) -> Iterator[list[T]]:
    """Rows that write to nothing in common, wave after wave; of those that do, the earlier comes first. ``writes`` is
    asked again for each wave: what the last one made need not be made again."""
    waiting = list(rows)
    while waiting:
        busy: set[str] = set()
        wave: list[T] = []
        later: list[T] = []
        for row in waiting:
            written = writes(row)
            (wave if busy.isdisjoint(written) else later).append(row)
            busy.update(written)
        yield wave
        waiting = later
