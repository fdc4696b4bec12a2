"""Rebuild: all events of a district's years into new tables, as `./xiapai rebuild` does it, switch included; beside a
plain consumer that reads and decodes, and beside what else builds tables from events in Python.

The peers take a smaller number of the same events, since all of them would take an hour; their figure is by event.
"""

import os
from collections.abc import AsyncGenerator
from datetime import date
from time import monotonic

from xiapai_contracts.registry import TOPICS

from benchmarks.district import KEK, District
from benchmarks.lab import Lab, program
from benchmarks.published import Published, evented, published, read_through
from benchmarks.rows import Goal, Round, Row
from ledger.database import connect
from services.projection.builds import migrate
from services.projection.rebuild import rebuild_from_kafka

TODAY = date(2026, 7, 1)
ROW = Row("rebuild to tables", "raw getmany and decode", "events/s", Goal(0.55))
RUNNER = Row("rebuild to tables", "eventsourcing's ProjectionRunner on PostgreSQL", "events/s", Goal(80))
FAUST = Row("rebuild to tables", "a stock Faust agent, the same tables", "events/s", Goal(10))


async def measure(lab: Lab) -> AsyncGenerator[Round]:
    district = District(postings=lab.size(24_600, 1_000), events=lab.size(1_000_000, 30_000))
    async with published(lab, district) as there:
        for _ in range(lab.rounds):
            ours = await rebuild(lab, there)
            seconds, seen = await read_through(there.kafka, evented(TOPICS), decode=True)
            yield Round(ROW, ours, seen / seconds)
            for row, peer, part in ((RUNNER, _runner, 4_000), (FAUST, _faust, 40_000)):
                try:
                    yield Round(row, ours, await peer(lab, there, lab.size(part, part // 5)))
                except ModuleNotFoundError as missing:
                    yield Round(row, ours, None, f"skipped: no {missing.name}")


async def rebuild(lab: Lab, there: Published) -> float:
    """Events in a second, from the command's start until the new build is live."""
    engine = connect(lab.database())
    try:
        await migrate(engine)
        began = monotonic()
        rebuilt = await rebuild_from_kafka(engine, there.kafka, KEK, TODAY)
        assert rebuilt.position == there.events, f"built up to {rebuilt.position} of {there.events}"
        return there.events / (monotonic() - began)
    finally:
        await engine.dispose()


async def _runner(lab: Lab, there: Published, events: int) -> float:
    import eventsourcing  # noqa: F401  its absence skips the row

    said = await program("benchmarks.peers.runner", lab.database(), str(events))
    return float(said["rate"])


async def _faust(lab: Lab, there: Published, events: int) -> float:
    kafka = there.kafka
    said = await program(
        "benchmarks.peers.agent", kafka.bootstrap, kafka.prefix, lab.database(), str(min(events, there.events // 2)),
        str(lab.folder / f"faust-{os.urandom(4).hex()}"),
    )  # fmt: skip
    return float(said["rate"])
