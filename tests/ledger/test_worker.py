"""Workers on a real broker: what the relay published is applied once and in order, whoever comes and goes."""

import asyncio
import signal
import struct
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from deploy.embedded.broker import EmbeddedBroker
from ledger import deadletters
from ledger.deliver import HALVED_FROM, Delivered
from ledger.kafka import KafkaSettings, ensure_topics, partition_of
from ledger.relay import Relay, republish
from ledger.worker import Worker
from tests.infra.servers import Infra
from tests.ledger.kafka_support import (
    CODEC,
    HEADS,
    JARS,
    KEYS,
    TOPICS,
    JarFilled,
    Shelf,
    applied,
    fill,
    in_order,
    ledger,
    make_shelf,
    process,
    record,
    running,
    says,
    settings_for,
    until,
)


@pytest.fixture
def kafka(infra: Infra, topic_prefix: str) -> KafkaSettings:
    return settings_for(infra.kafka, infra.kafka_kind, topic_prefix)


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    async with ledger(database) as made:
        await make_shelf(made)
        yield made


def worker_for(kafka: KafkaSettings, engine: AsyncEngine, *shelves: Shelf) -> Worker:
    worker = Worker("test", kafka, CODEC)
    worker.add(engine, *(shelf.handler for shelf in shelves))
    return worker


def relay_for(kafka: KafkaSettings, engine: AsyncEngine) -> Relay:
    return Relay(engine, kafka, "shelf", TOPICS)


async def all_applied(engine: AsyncEngine, count: int) -> None:
    """Wait for ``count`` events, and see that none came twice or out of order."""

    async def there() -> bool:
        return len(await applied(engine)) >= count

    await until(there, what=f"{count} events applied")
    rows = await applied(engine)
    assert len(rows) == count and in_order(rows)


async def stopped(worker: "asyncio.Future[None]") -> None:
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def test_what_is_recorded_is_applied_once_and_in_order(engine: AsyncEngine, kafka: KafkaSettings) -> None:
    shelf = Shelf()
    worker = worker_for(kafka, engine, shelf)
    assert worker.health.missing
    async with running(relay_for(kafka, engine).run(), worker.run()):
        await record(engine, *fill(700))
        await all_applied(engine, 700)
        await record(engine, *fill(7, start=1000))
        await all_applied(engine, 707)
        assert worker.health.missing == {}
    assert max(shelf.batches) > 1


async def test_a_worker_reads_on_where_the_last_one_stopped(engine: AsyncEngine, kafka: KafkaSettings) -> None:
    async with running(relay_for(kafka, engine).run()):
        await record(engine, *fill(300))
        async with running(worker_for(kafka, engine, Shelf()).run()):
            await all_applied(engine, 300)
        await record(engine, *fill(20, start=1000))
        shelf = Shelf()
        async with running(worker_for(kafka, engine, shelf).run()):
            await all_applied(engine, 320)
        assert sum(shelf.batches) == 20


async def test_a_worker_whom_others_leave_nothing_to_read_is_well(engine: AsyncEngine, kafka: KafkaSettings) -> None:
    workers = [worker_for(kafka, engine, Shelf(topics=(HEADS,))) for _ in range(2)]
    async with running(relay_for(kafka, engine).run(), *(worker.run() for worker in workers)):
        await until(lambda: not any(worker.health.missing for worker in workers), what="both workers are well")
        assert sorted(len(worker.readers[0].partitions) for worker in workers) == [0, 1]


class Halved(Shelf):
    """Notes how many transactions were under way at once; the connection of the first that is not alone is cut, once."""

    def __init__(self, *, cut: bool = False) -> None:
        super().__init__()
        self.under_way, self.at_once, self.cut = 0, 0, cut

    async def apply(self, connection: AsyncConnection, events: Sequence[Delivered]) -> None:
        self.under_way += 1
        self.at_once = max(self.at_once, self.under_way)
        try:
            await connection.execute(text("SELECT pg_sleep(0.2)"))
            if self.cut and self.under_way > 1:
                self.cut = False
                await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            await super().apply(connection, events)
        finally:
            self.under_way -= 1


@pytest.mark.parametrize("cut", [False, True])
async def test_a_large_batch_goes_in_as_two_halves_at_once_and_each_comes_to_its_own_end(
    engine: AsyncEngine, kafka: KafkaSettings, cut: bool
) -> None:
    count = 4 * HALVED_FROM
    async with running(relay_for(kafka, engine).run()):
        await record(engine, *fill(count, jars=20))
        await until(lambda: published(engine, count), what="all published")
        shelf = Halved(cut=cut)
        shelf.poison = {"jar-3"}
        async with running(worker_for(kafka, engine, shelf).run()):
            await all_applied(engine, count - count // 20)
            (parked,) = await deadletters.list_parked(engine)
    assert shelf.at_once == 2 and not shelf.cut
    assert (parked.stream, parked.count) == ("jar-3", count // 20)


async def published(engine: AsyncEngine, position: int) -> bool:
    async with engine.connect() as connection:
        return bool(await connection.scalar(text("SELECT position FROM relay")) == position)


async def test_workers_join_and_leave_while_events_flow(engine: AsyncEngine, kafka: KafkaSettings) -> None:
    async with running(relay_for(kafka, engine).run()):
        workers = [asyncio.ensure_future(worker_for(kafka, engine, Shelf()).run())]
        count = 0
        for joins in (True, True, False, True, False):
            count = await record(engine, *fill(60, start=count), at_once=10)
            if joins:
                workers.append(asyncio.ensure_future(worker_for(kafka, engine, Shelf()).run()))
            else:
                await stopped(workers.pop(0))
            count = await record(engine, *fill(60, start=count), at_once=10)
            await asyncio.sleep(0.5)
        await all_applied(engine, count)
        await asyncio.gather(*(stopped(worker) for worker in workers))


async def test_a_worker_told_to_end_finishes_its_batch(
    database: str, engine: AsyncEngine, kafka: KafkaSettings, infra: Infra
) -> None:
    async with running(relay_for(kafka, engine).run()), process("worker", database, kafka, infra.kafka_kind) as worker:
        await record(engine, *fill(1))
        await says(worker, "applying")
        worker.send_signal(signal.SIGTERM)
        await says(worker, "stopped")
        assert await worker.wait() == 0
        assert await applied(engine) == [("jar-0", 1)]


async def test_a_worker_that_is_still_joining_its_group_ends_at_once(engine: AsyncEngine, kafka: KafkaSettings) -> None:
    """Beside a member that does not give its partitions back, the broker lets nobody in for as long as a session."""
    await ensure_topics(kafka, TOPICS)
    holding = Holding()
    shelf = Shelf()
    first = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap,
        group_id=kafka.prefix + shelf.handler.name,
        session_timeout_ms=20_000,
        heartbeat_interval_ms=500,
    )
    first.subscribe([kafka.prefix + topic.name for topic in shelf.handler.topics], listener=holding)
    await first.start()
    joining = asyncio.ensure_future(worker_for(kafka, engine, shelf).run())
    await asyncio.wait_for(holding.asked.wait(), 20)
    began = time.monotonic()
    await stopped(joining)
    assert time.monotonic() - began < 3
    holding.given.set()
    await first.stop()


class Holding(ConsumerRebalanceListener):  # type: ignore[misc]
    """Keeps its partitions, asked for them, until they are ``given``."""

    def __init__(self) -> None:
        self.asked, self.given = asyncio.Event(), asyncio.Event()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        if revoked:
            self.asked.set()
            await self.given.wait()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        pass


async def test_poison_parks_its_stream_and_an_unreadable_record_stops_nothing(
    engine: AsyncEngine, kafka: KafkaSettings
) -> None:
    shelf = Shelf()
    shelf.poison = {"jar-3"}
    async with running(relay_for(kafka, engine).run(), worker_for(kafka, engine, shelf).run()):
        await record(engine, *fill(70))
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
            for number in range(4):
                await producer.send_and_wait(
                    kafka.prefix + JARS.name, b"not ours", partition=number, headers=[("ce_type", b"\xff\x00")]
                )
        await record(engine, *fill(70, start=500))

        async def there() -> bool:
            queues = await deadletters.list_parked(engine)
            return len(await applied(engine)) == 120 and len(queues) == 5 and max(one.count for one in queues) == 20

        await until(there)
        rows = await applied(engine)
        assert in_order(rows) and not any(stream == "jar-3" for stream, _ in rows)
        shelf.poison = set()
        await deadletters.replay(engine, shelf.handler.name, shelf.handler.apply, CODEC)
        await record(engine, *fill(7, start=900))
        await all_applied(engine, 147)


async def test_a_header_whose_name_is_not_text_stops_nothing(engine: AsyncEngine, kafka: KafkaSettings) -> None:
    """The client cannot even take such a record apart, and breaks on it again and again if nobody steps over it."""
    async with running(relay_for(kafka, engine).run(), worker_for(kafka, engine, Shelf()).run()):
        await record(engine, *fill(20))
        await all_applied(engine, 20)
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
            batch = producer.create_batch()
            batch.append(timestamp=None, key=b"k", value=b"v", headers=[("namename", b"x")])
            broken = broken_name(bytes(batch._build()))
            batch._buffer = bytearray(broken)
            number = partition_of("jar-1", 4)
            await (await producer.send_batch(batch, kafka.prefix + JARS.name, partition=number))
        await record(engine, *fill(20, start=500))
        await all_applied(engine, 40)
        assert [queue.stream for queue in await deadletters.list_parked(engine)] == [None]


def broken_name(batch: bytes) -> bytes:
    """The batch with a header's name that is no UTF-8, and the checksum that belongs to it."""
    from aiokafka.record.util import calc_crc32c

    data = bytearray(batch.replace(b"namename", b"\xff\xfe\xffename"))
    data[17:21] = struct.pack(">I", calc_crc32c(memoryview(data)[21:]))
    return bytes(data)


async def test_missing_events_raise_an_alarm_until_the_ledger_is_published_again(
    engine: AsyncEngine, kafka: KafkaSettings
) -> None:
    """A record is cut out of the log (copied without it under the same names), which no acknowledgement forgives."""
    async with running(relay_for(kafka, engine).run()):
        await record(engine, *((f"jar-{1}", JarFilled(grams=n)) for n in range(10)))
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        partition = TopicPartition(kafka.prefix + JARS.name, partition_of("jar-1", 4))
        consumer.assign([partition])
        copied: list[Any] = []

        async def read() -> bool:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                copied.extend(one for one in records if one.value is not None)
            return len(copied) >= 10

        await until(read)
        await consumer.stop()
    holed = KafkaSettings(
        bootstrap=kafka.bootstrap,
        prefix=kafka.prefix + "holed.",
        idempotent=kafka.idempotent,
        single_record_batches=kafka.single_record_batches,
        replication=1,
        session_timeout_seconds=6,
    )
    await ensure_topics(holed, TOPICS)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        for one in copied[:4] + copied[5:]:
            await producer.send_and_wait(
                holed.prefix + JARS.name, one.value, one.key, partition.partition, headers=list(one.headers)
            )
    worker = worker_for(holed, engine, Shelf())
    async with running(worker.run()):
        await until(lambda: "events are missing" in worker.health.missing.get("shelf-view", ""))
        assert await applied(engine) == [("jar-1", n) for n in range(1, 5)]
        await republish(engine)
        async with running(relay_for(holed, engine).run()):
            await all_applied(engine, 10)
            await until(lambda: worker.health.missing == {})


async def test_a_topic_that_is_lost_under_a_running_worker_comes_back(
    engine: AsyncEngine, kafka: KafkaSettings, real_kafka: str
) -> None:
    async with running(relay_for(kafka, engine).run(), worker_for(kafka, engine, Shelf()).run()):
        await record(engine, *fill(60))
        await all_applied(engine, 60)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.delete_topics([kafka.prefix + JARS.name])
        await admin.close()
        await record(engine, *fill(40, start=500))
        await all_applied(engine, 100)


async def test_a_broker_that_forgets_everything_is_filled_again(
    engine: AsyncEngine, topic_prefix: str, tmp_path: Path
) -> None:
    broker = EmbeddedBroker(tmp_path / "broker")
    broker.start()
    try:
        kafka = settings_for(broker.bootstrap, "tansu", topic_prefix)
        async with running(relay_for(kafka, engine).run(), worker_for(kafka, engine, Shelf()).run()):
            await record(engine, *fill(60))
            await all_applied(engine, 60)
            await asyncio.to_thread(broker.stop)
            await record(engine, *fill(60, start=500))
            await asyncio.to_thread(broker.start)
            await all_applied(engine, 120)
            late = Shelf("late-view")
            async with running(worker_for(kafka, engine, late).run()):

                async def whole() -> bool:
                    return len(await applied(engine, "late-view")) == 120

                await until(whole)
    finally:
        broker.stop()


async def test_a_failure_that_is_nobodys_trouble_ends_the_worker(engine: AsyncEngine, kafka: KafkaSettings) -> None:
    await ensure_topics(kafka, TOPICS)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE watermarks RENAME TO elsewhere"))
    with pytest.raises(Exception, match="watermarks"):
        await asyncio.wait_for(worker_for(kafka, engine, Shelf()).run(), 30)


async def test_a_worker_waits_for_topics_and_says_which(engine: AsyncEngine, kafka: KafkaSettings) -> None:
    worker = worker_for(kafka, engine, Shelf())
    async with running(worker.run()):
        await until(lambda: "shelf.jars is not there" in worker.health.missing["shelf-view"])
        async with running(relay_for(kafka, engine).run()):
            await record(engine, *fill(5))
            await all_applied(engine, 5)
            assert worker.health.missing == {}


async def test_keys_and_heads_reach_a_handler(engine: AsyncEngine, kafka: KafkaSettings) -> None:
    shelf = Shelf("shelf-keys", (KEYS, HEADS))
    worker = worker_for(kafka, engine, shelf)
    ticks: list[int] = []

    async def tick() -> None:
        ticks.append(1)

    worker.every(0.2, tick)
    async with running(relay_for(kafka, engine).run(), worker.run()):
        await record(engine, *fill(3), keys={"person-1": b"one"})

        async def key_is_there() -> bool:
            return len(await applied(engine, "shelf-keys")) == 1

        await until(key_is_there)
        await record(engine, *fill(3, start=500), keys={"person-1": None})

        async def there() -> bool:
            async with engine.connect() as connection:
                reached = await connection.scalar(
                    text("SELECT max(reached) FROM watermarks WHERE topic = 'shelf.heads'")
                )
            return len(await applied(engine, "shelf-keys")) == 2 and reached == 6

        await until(there)
        await until(lambda: len(ticks) > 2)
