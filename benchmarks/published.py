"""A district that stands in a ledger and in Kafka: what delivery, projection and rebuild begin with."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xiapai_contracts.record import MARKER, from_headers
from xiapai_contracts.registry import KEYS, TOPICS
from xiapai_contracts.topic import Topic
from xiapai_contracts.topics import CODEC

from benchmarks.district import District, fill
from benchmarks.lab import Lab
from ledger.fetch import BATCH_RECORDS
from ledger.kafka import KafkaSettings, topic_name
from ledger.reader import head
from ledger.relay import Relay

_MARKED = text("""SELECT count(*) FROM relay, jsonb_each(partitions) AS t, jsonb_each(t.value) AS p
    WHERE t.key <> 'registry.keys' AND CAST(p.value->>'at' AS bigint) >= position""")


@dataclass(frozen=True, slots=True)
class Published:
    """``events`` in all, on the registry's topics."""

    engine: AsyncEngine
    kafka: KafkaSettings
    events: int


@asynccontextmanager
async def published(lab: Lab, district: District) -> AsyncIterator[Published]:
    """Fill a ledger and let the relay publish it, markers included."""
    async with lab.ledger() as engine:
        dsn = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        lab.say("writing events into a ledger")
        count = await fill(dsn, district.walk(), district.keys)
        kafka = lab.topics()
        lab.say(f"publishing {count:,} events")
        await publish(engine, kafka)
        yield Published(engine, kafka, count)


async def publish(engine: AsyncEngine, kafka: KafkaSettings, topics: tuple[Topic, ...] = TOPICS) -> tuple[float, int]:
    """Let the relay run until all is acknowledged and every partition has its marker; the seconds after its first
    checkpoint until the last one, and the events between the two."""
    relay = Relay(engine, kafka, "registry", topics)
    running = asyncio.create_task(relay.run())
    try:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            end = await head(connection)
            first, began = await _published(relay, running, 1)
            _, ended = await _published(relay, running, end)
            await _marked(connection, sum(topic.partitions for topic in topics if topic.events))
        return ended - began, end - first
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _published(relay: Relay, running: asyncio.Task[None], least: int) -> tuple[int, float]:
    """Its checkpoint once it is at ``least``, and when that was seen."""
    while relay.position < least:
        if running.done():
            running.result()
        await asyncio.sleep(0.01)
    return relay.position, monotonic()


async def _marked(connection: AsyncConnection, partitions: int) -> None:
    while True:
        if int(await connection.scalar(_MARKED) or 0) >= partitions:
            return
        await asyncio.sleep(0.1)


async def read_through(kafka: KafkaSettings, topics: Sequence[Topic], *, decode: bool) -> tuple[float, int]:
    """Read topics to their present end by a plain consumer, `getmany` and nothing else (``decode``: headers and event
    too): seconds after the first batch, and the records after it."""
    consumer = AIOKafkaConsumer(**kafka.connection(), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic_name(kafka, t), n) for t in topics for n in range(t.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, 0)
        left = sum(ends.values())
        began, seen = 0.0, 0
        compacted = {topic_name(kafka, t) for t in topics if t.compacted}
        while left > 0:
            found = await consumer.getmany(timeout_ms=500, max_records=BATCH_RECORDS)
            count = sum(map(len, found.values()))
            left -= count
            if decode:
                for place, records in found.items():
                    _decode(records, place.topic in compacted)
            if began:
                seen += count
            elif count:
                began = monotonic()
        return monotonic() - began, seen
    finally:
        await consumer.stop()


def _decode(records: Sequence[Any], compacted: bool) -> None:
    for record in records:
        meta = from_headers(record.headers)
        if not compacted and meta.type != MARKER:
            CODEC.decode(meta.type, meta.schema, record.value)


def evented(topics: Sequence[Topic]) -> list[Topic]:
    """Those with events or keys: what a read model is made of."""
    return [topic for topic in topics if topic.events or topic is KEYS]
