"""What stands in a service's database and is worth watching: asked for when Prometheus comes by."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

log = logging.getLogger(__name__)

KEPT_SECONDS = 5.0
"""Several who ask within this time get the same answer: scrapes never crowd the database."""
PATIENCE_SECONDS = 2.0

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Measure:
    """A gauge ``name`` with ``labels`` after `service`. ``ask`` gives rows: a text for each label, then the number."""

    name: str
    what: str
    ask: Callable[[AsyncConnection], Awaitable[Rows]]
    labels: tuple[str, ...] = ()


def query(sql: str) -> Callable[[AsyncConnection], Awaitable[Rows]]:
    """The rows of a statement of this program."""
    statement = text(sql)

    async def ask(connection: AsyncConnection) -> Rows:
        return [tuple(row) for row in (await connection.execute(statement)).all()]

    return ask


COMMON = (
    Measure("xiapai_ledger_position", "events recorded", query("SELECT coalesce(max(position), 0) FROM ledger")),
    Measure("xiapai_relay_published_position", "events that the broker has", query("SELECT position FROM relay")),
    Measure(
        "xiapai_parked_letters",
        "records that wait as dead letters",
        query("SELECT handler, count(*) FROM dead_letters GROUP BY handler"),
        ("handler",),
    ),
    Measure(
        "xiapai_parked_streams",
        "streams that wait behind a dead letter",
        query("SELECT handler, count(DISTINCT stream) FROM dead_letters GROUP BY handler"),
        ("handler",),
    ),
)
"""What every service's database holds."""


@dataclass(slots=True)
class _Asked:
    """One database, and what it said last; nothing where it is away."""

    engine: AsyncEngine
    measures: Sequence[Measure]
    found: list[tuple[Measure, Rows]] = field(default_factory=list)
    up: bool = False
    at: float = float("-inf")


class DatabaseMeasures(Collector):
    """The databases of a process. ``refresh`` asks, ``collect`` says what was found; where one is away,
    `xiapai_database_up` is 0 and the rest is left out, so that nothing old looks new."""

    def __init__(self) -> None:
        self._asked: dict[str, _Asked] = {}
        self._one_at_a_time = asyncio.Lock()

    def add(self, service: str, engine: AsyncEngine, measures: Iterable[Measure] = ()) -> None:
        """Ask this service's database too."""
        self._asked[service] = _Asked(engine, (*COMMON, *measures))

    async def refresh(self) -> None:
        """Ask anew whatever was answered too long ago; for 2 s at most."""
        async with self._one_at_a_time:
            await asyncio.gather(*(self._ask(*item) for item in self._asked.items()))

    async def _ask(self, service: str, asked: _Asked) -> None:
        if monotonic() - asked.at < KEPT_SECONDS:
            return
        found: list[tuple[Measure, Rows]] = []
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), asked.engine.connect() as connection:
                for measure in asked.measures:
                    found.append((measure, await measure.ask(connection)))
            asked.found, asked.up = found, True
        except Exception as error:  # whatever it is, the other figures are to be had
            asked.found, asked.up = [], False
            log.warning("the database of %s gave no figures: %s", service, type(error).__name__)
        asked.at = monotonic()

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("xiapai_database_up", "whether the database answers", labels=["service"])
        gauges: dict[str, GaugeMetricFamily] = {}
        for service, asked in self._asked.items():
            up.add_metric([service], float(asked.up))
            for measure, rows in asked.found:
                gauge = gauges.get(measure.name)
                if gauge is None:
                    labels = ["service", *measure.labels]
                    gauge = gauges[measure.name] = GaugeMetricFamily(measure.name, measure.what, labels=labels)
                for *told, number in rows:
                    gauge.add_metric([service, *map(str, told)], float(number))
        yield up
        yield from gauges.values()
