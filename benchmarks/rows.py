"""What is measured: rows, their rounds, and what the rounds come to."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.lab import Lab


@dataclass(frozen=True, slots=True)
class Goal:
    """``at_least`` or ``at_most``: of the ratio, or of our own figure where ``own``."""

    at_least: float | None = None
    at_most: float | None = None
    own: bool = False

    def __str__(self) -> str:
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{'' if self.own else 'ratio '}{sign} {bound:g}"

    def holds(self, ours: float, ratio: float | None) -> bool:
        """Whether the median keeps the goal."""
        seen = ours if self.own or ratio is None else ratio
        return (self.at_least is None or seen >= self.at_least) and (self.at_most is None or seen <= self.at_most)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: the path, who stands beside it (empty: nobody), the unit of both figures, the goal."""

    path: str
    beside: str
    unit: str
    goal: Goal | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """What one round saw; ``beside`` is None where nobody stands beside, or ``skipped`` says why not."""

    row: Row
    ours: float
    beside: float | None = None
    skipped: str = ""


Measure = Callable[["Lab"], AsyncGenerator[Round]]
"""A benchmark: prepares what it needs, then yields rounds of ours and beside, one after the other, A B A B."""


@dataclass(slots=True)
class Result:
    """The rounds of one row."""

    row: Row
    ours: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    skipped: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours by beside, round by round: what disturbed the machine disturbed both."""
        return [ours / other for ours, other in zip(self.ours, self.beside, strict=False) if other]

    @property
    def ratio(self) -> float | None:
        return median(self.ratios) if self.ratios else None

    @property
    def holds(self) -> bool | None:
        """None where there is no goal, or what it speaks of was not measured."""
        goal = self.row.goal
        if goal is None or not self.ours or (self.ratio is None and not goal.own):
            return None
        return goal.holds(median(self.ours), self.ratio)


def gather(results: dict[Row, Result], seen: Round) -> None:
    """Put a round to the others of its row."""
    result = results.setdefault(seen.row, Result(seen.row))
    result.ours.append(seen.ours)
    if seen.beside is not None:
        result.beside.append(seen.beside)
    result.skipped = result.skipped or seen.skipped


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which ``part`` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
