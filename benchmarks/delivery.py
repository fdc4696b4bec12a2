"""Delivery alone: records read, checked, decoded and acknowledged by watermarks, to a handler that does nothing; beside
a plain consumer's `getmany`, with and without reading headers and event."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xiapai_contracts.registry import PERSONS, POSTINGS, UNITS
from xiapai_contracts.topic import Topic
from xiapai_contracts.topics import CODEC

from benchmarks.district import District
from benchmarks.lab import Lab
from benchmarks.published import published, read_through
from benchmarks.rows import Goal, Round, Row
from ledger.consume import Reader
from ledger.deliver import Delivered, Handler
from ledger.kafka import KafkaSettings

RAW = Row("delivery alone", "raw getmany", "events/s", Goal(0.9))
DECODED = Row("delivery alone", "raw getmany and decode", "events/s")
TOPICS = (UNITS, PERSONS, POSTINGS)


async def measure(lab: Lab) -> AsyncGenerator[Round]:
    district = District(postings=lab.size(30_000, 2_000))
    async with published(lab, district) as there:
        for number in range(lab.rounds):
            ours = await deliver_all(there.engine, there.kafka, TOPICS, there.events, f"bench-{number}")
            for row, decode in ((RAW, False), (DECODED, True)):
                seconds, seen = await read_through(there.kafka, TOPICS, decode=decode)
                yield Round(row, ours, seen / seconds)


async def deliver_all(
    engine: AsyncEngine, kafka: KafkaSettings, topics: tuple[Topic, ...], events: int, name: str
) -> float:
    """Events in a second, after the first batch."""
    seen, first, began, ended = 0, 0, 0.0, asyncio.Event()

    async def apply(_: AsyncConnection, delivered: Sequence[Delivered]) -> None:
        nonlocal seen, first, began
        seen += len(delivered)
        if not began:
            began, first = monotonic(), seen
        if seen >= events:
            ended.set()

    reader = Reader(engine, kafka, CODEC, Handler(name, topics, apply))
    running = asyncio.create_task(reader.run())
    try:
        await asyncio.wait({running, asyncio.ensure_future(ended.wait())}, return_when=asyncio.FIRST_COMPLETED)
        seconds = monotonic() - began
    finally:
        reader.stop()
        await running
    return (seen - first) / seconds
