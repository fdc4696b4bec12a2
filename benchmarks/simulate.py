"""`python -m benchmarks.simulate`: how many partitions and workers an office's events need, by simulation, seeded.

Events arrive by the second on the partitions that their streams hash to; each worker takes from its own partitions, in
turn, as many as it can project in a second; for a minute of the peak one worker is dead, and after the session timeout
its partitions fall to the others. What is shown is how far readers are behind. The rates are those of
docs/performance.md, on two shared cores; give your own.
"""

import math
import random
from collections import deque
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

EVENTS_A_YEAR = 60
"""Of one posting in all ledgers: its own course (6), monthly reports (12) with their reminders (24), assessments (4), and
what is corrected, acknowledged and asked in between."""
WORKING_SECONDS = 250 * 8 * 3600
PEAK = 10.0
"""The last working hours before a deadline, against the mean of working time."""
SESSION_SECONDS = 10
SCENARIOS = (
    ("a district", 10**4),
    ("a city", 10**5),
    ("a province", 10**6),
    ("several provinces", 10**7),
    ("the country", 10**8),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """Seconds that readers are behind, in ordinary peak and at worst while a worker is dead; and how much of the most
    loaded worker's time is used at the peak."""

    p99: float
    worst: float
    busy: float


def simulate(rate: float, partitions: int, workers: int, capacity: float, seed: int, seconds: int = 600) -> Seen:
    """Ten minutes of the peak: ``rate`` events a second in all, ``capacity`` events a second of each worker."""
    dice = random.Random(seed)
    # Streams hash evenly, but a partition's share is not exactly its part: the busiest streams fall somewhere.
    shares = [dice.gammavariate(50, 1) for _ in range(partitions)]
    whole = sum(shares)
    waiting: list[deque[list[float]]] = [deque() for _ in range(partitions)]
    behind: list[float] = []
    worst = 0.0
    dies, back = seconds // 2, seconds // 2 + 60
    for second in range(seconds):
        dead = dies <= second < back and workers > 1
        members = workers - 1 if dead and second >= dies + SESSION_SECONDS else workers
        for n, share in enumerate(shares):
            if arrived := _poisson(dice, rate * share / whole):
                waiting[n].append([second, arrived])
        for worker in range(members):
            if dead and members == workers and worker == workers - 1:
                continue  # nobody knows yet that it is dead
            _work([waiting[n] for n in range(worker, partitions, members)], capacity)
        late = max((second - queue[0][0] for queue in waiting if queue), default=0.0)
        worst = max(worst, late)
        if second < dies:
            behind.append(late)
    loads = [sum(rate * shares[n] / whole for n in range(w, partitions, workers)) / capacity for w in range(workers)]
    return Seen(sorted(behind)[int(0.99 * len(behind))], worst, max(loads))


def _work(queues: list[deque[list[float]]], left: float) -> None:
    """Take the oldest first, as much as one worker can in a second."""
    while left > 0 and (filled := [queue for queue in queues if queue]):
        oldest = min(filled, key=lambda queue: queue[0][0])
        took = min(oldest[0][1], left)
        oldest[0][1] -= took
        left -= took
        if oldest[0][1] <= 0:
            oldest.popleft()


def _poisson(dice: random.Random, mean: float) -> int:
    return max(0, round(dice.gauss(mean, math.sqrt(mean))))


def least(rate: float, capacity: float, seed: int) -> tuple[int, int, Seen]:
    """The fewest workers, and partitions for them, with which readers stay within a second at the peak, catch up with a
    dead worker's part, and no worker is busier than 70 %."""
    for workers in range(2, 2000):
        # Three partitions a worker, so that what a dead one leaves is spread over many.
        partitions = max(6, 3 * workers)
        if rate / workers / capacity > 0.7:
            continue
        seen = simulate(rate, partitions, workers, capacity, seed)
        if seen.p99 <= 1.0 and seen.busy <= 0.7 and seen.worst <= 60:
            return partitions, workers, seen
    raise ValueError("more than two thousand workers: one projection is not the way")


def main(
    projection: Annotated[float, typer.Option(help="events a second of one worker, live projection")] = 26000,
    append: Annotated[float, typer.Option(help="events a second of one ledger")] = 13000,
    relay: Annotated[float, typer.Option(help="events a second of one relay")] = 64000,
    rebuild: Annotated[float, typer.Option(help="events a second of a rebuild")] = 21000,
    event_bytes: Annotated[int, typer.Option(help="bytes of an event in ledger and indexes")] = 550,
    years: Annotated[int, typer.Option(help="years kept")] = 5,
    seed: int = 1,
) -> None:
    """Print the table that docs/scale.md quotes."""
    table = Table(
        "", "postings", "events/s mean", "peak", "of one ledger", "of one relay", "workers", "partitions", "p99 behind",
        "worst, one dead", "ledger", "rebuild",
    )  # fmt: skip
    for name, postings in SCENARIOS:
        mean = postings * EVENTS_A_YEAR / WORKING_SECONDS
        peak = mean * PEAK
        partitions, workers, seen = least(peak, projection, seed)
        events = postings * EVENTS_A_YEAR * years
        table.add_row(
            name, f"10^{round(math.log10(postings))}", _short(mean), _short(peak), f"{peak / append:.0%}",
            f"{peak / relay:.0%}", str(workers), str(partitions), f"{seen.p99:.0f} s", f"{seen.worst:.0f} s",
            _bytes(events * event_bytes), _time(events / rebuild),
        )  # fmt: skip
    Console(width=170, highlight=False).print(table)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _bytes(value: float) -> str:
    return f"{value / 1e12:.1f} TB" if value >= 1e12 else f"{value / 1e9:.1f} GB"


def _time(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.1f} h" if hours >= 1 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    typer.run(main)
