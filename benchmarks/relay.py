"""Relay: a ledger to Kafka, in order, acknowledged, beside the most that aiokafka's producer sends of the same records."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.record import Headers, Meta, to_headers
from xiapai_contracts.registry import HEADS, PERSONS, POSTINGS, UNITS

from benchmarks.district import District, fill
from benchmarks.lab import Lab
from benchmarks.published import publish
from benchmarks.rows import Goal, Round, Row
from ledger.kafka import KafkaSettings, ensure_topics, partition_of, topic_name
from ledger.reader import read
from ledger.recorded import Recorded
from ledger.relay.publisher import BATCH_BYTES

ROW = Row("relay, in order, acknowledged", "aiokafka's producer, the same records ready made", "events/s", Goal(0.65))
TOPICS = (UNITS, PERSONS, POSTINGS, HEADS)

Ready = tuple[str, int, bytes, bytes, Headers]


async def measure(lab: Lab) -> AsyncGenerator[Round]:
    async with lab.ledger() as engine:
        district = District(postings=lab.size(20_000, 2_000))
        lab.say("writing events into a ledger")
        dsn = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        await fill(dsn, district.walk())
        ready = await _ready(engine)
        for number in range(1 + lab.rounds):
            await _taken_back(engine)
            seconds, sent = await publish(engine, lab.topics(), TOPICS)
            most = await ceiling(lab.topics(), ready)
            if number:  # the broker has warmed up
                yield Round(ROW, sent / seconds, most)


async def _taken_back(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM relay"))


async def _ready(engine: AsyncEngine) -> list[Ready]:
    """The records as the relay would make them."""
    of = {event.event_name: topic for topic in TOPICS for event in topic.events}
    now = datetime.now(UTC)
    found: list[Recorded] = []
    ready: list[Ready] = []
    async with engine.connect() as connection:
        while portion := await read(connection, len(found), 10_000):
            found += portion
    for one in found:
        topic = of[one.name]
        meta = Meta(
            source="registry", type=one.name, epoch="0" * 36, position=one.position, previous=max(0, one.position - 6),
            published=now, id=str(one.id), stream=one.stream, version=one.version, schema=one.schema, by=one.by,
            at=one.at, recorded_at=one.recorded_at, stream_hash=one.stream_hash, hash=one.hash,
        )  # fmt: skip
        partition = partition_of(one.stream, topic.partitions)
        ready.append((topic.name, partition, one.stream.encode(), one.data, to_headers(meta)))
    return ready


async def ceiling(kafka: KafkaSettings, ready: list[Ready]) -> float:
    """Records in a second: batches as full as the relay's, all partitions at once, nothing read and nothing made."""
    await ensure_topics(kafka, TOPICS)
    names = {topic.name: topic_name(kafka, topic) for topic in TOPICS}
    producer = AIOKafkaProducer(
        **kafka.connection(), acks="all", enable_idempotence=kafka.idempotent, max_batch_size=BATCH_BYTES
    )
    await producer.start()
    try:
        batches: dict[tuple[str, int], Any] = {}
        sent: list[asyncio.Future[Any]] = []
        began = monotonic()
        for topic, partition, key, value, headers in ready:
            place = topic, partition
            batch = batches.get(place)
            if batch is not None and batch.append(timestamp=None, key=key, value=value, headers=headers) is not None:
                continue
            if batch is not None:
                sent.append(await producer.send_batch(batch, names[topic], partition=partition))
            batch = batches[place] = producer.create_batch()
            batch.append(timestamp=None, key=key, value=value, headers=headers)
        for (topic, partition), batch in batches.items():
            sent.append(await producer.send_batch(batch, names[topic], partition=partition))
        await asyncio.gather(*sent)
        return len(ready) / (monotonic() - began)
    finally:
        await producer.stop()
