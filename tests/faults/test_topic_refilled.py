"""偷梁换柱: a topic is deleted under a running relay, and filled again past the old offsets by somebody else."""

import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.kafka import KafkaSettings, ensure_topics, topic_name
from ledger.relay import Relay
from ledger.worker import Worker
from tests.conftest import Scale
from tests.faults.naive import TrustingRelay
from tests.infra.databases import Databases
from tests.ledger.kafka_support import (
    CODEC,
    JARS,
    TOPICS,
    Shelf,
    applied,
    fill,
    ledger,
    make_shelf,
    record,
    running,
    settings_for,
    until,
    verdict,
)


@pytest.fixture
async def engines(databases: Databases) -> AsyncIterator[list[AsyncEngine]]:
    async with ledger(databases()) as ours, ledger(databases()) as theirs:
        for engine in (ours, theirs):
            await make_shelf(engine)
        yield [ours, theirs]


def reading(kafka: KafkaSettings, engine: AsyncEngine, name: str) -> Worker:
    worker = Worker("test", kafka, CODEC)
    worker.add(engine, Shelf(name).handler)
    return worker


async def records_of(kafka: KafkaSettings) -> list[Any]:
    """As they stand in the topic of jars, partition by partition."""
    partitions = [TopicPartition(topic_name(kafka, JARS), number) for number in range(JARS.partitions)]
    found: list[Any] = []
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
    return found


async def replace_topic(kafka: KafkaSettings) -> None:
    """What a mirror might bring back: each partition twice, so that it ends past the old offsets, and without its
    fifth record."""
    kept = await records_of(kafka)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.delete_topics([topic_name(kafka, JARS)])

    async def gone() -> bool:
        return topic_name(kafka, JARS) not in await admin.list_topics()

    await until(gone)
    await admin.close()
    await ensure_topics(kafka, TOPICS)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        for one in [one for one in kept if one.key is not None and one.offset != 4] * 2:
            await producer.send(one.topic, one.value, one.key, partition=one.partition, headers=list(one.headers))


async def test_a_topic_refilled_past_the_old_offsets_is_noticed_and_filled_anew_until_every_reader_agrees(
    engines: list[AsyncEngine],
    real_kafka: str,
    topic_prefix: str,
    scale: Scale,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bound = scale(20, 60)
    monkeypatch.setattr("ledger.relay.relay.READ_BACK_EVERY", scale(1, 6))
    ours, theirs = engines
    kafka, other = (settings_for(real_kafka, "kafka", f"{topic_prefix}{name}.") for name in ("ours", "trusting"))
    relay, trusting = Relay(ours, kafka, "shelf", TOPICS), TrustingRelay(theirs, other, "shelf", TOPICS)
    count = scale(200, 20_000)
    async with running(
        relay.run(),
        trusting.run(),
        reading(kafka, ours, "shelf-view").run(),
        reading(other, theirs, "shelf-view").run(),
    ):
        for engine in engines:
            await record(engine, *fill(count))

            async def whole(engine: AsyncEngine = engine) -> bool:
                return len(await applied(engine)) == count

            await until(whole, 60)
        await until(lambda: relay.lag == trusting.lag == 0)
        with caplog.at_level(logging.WARNING, "ledger.relay.relay"):
            began = time.monotonic()
            for settings in (kafka, other):
                await replace_topic(settings)
            await until(lambda: "has lost its log" in caplog.text, bound, "the relay says that the topic is another")
            noticed = time.monotonic() - began
        for engine in engines:
            await record(engine, *fill(70, start=5000))
        async with running(reading(kafka, ours, "late").run(), reading(other, theirs, "late").run()):
            for name in ("shelf-view", "late"):

                async def converged(name: str = name) -> bool:
                    return (await verdict(ours, name)).kept

                await until(converged, bound, f"{name} agrees with the ledger")
            print(f"noticed after {noticed:.1f} s, all readers agree after {time.monotonic() - began:.1f} s")
            found = await verdict(theirs, "late")
            assert found.lost, "the checker sees what is missing where nobody looks"
