"""The relay on a real broker: order, chain of positions, markers, keys, leadership, and what a crash leaves."""

import asyncio
import signal
from collections import defaultdict
from typing import Any

import pytest
from aiokafka.partitioner import DefaultPartitioner
from sqlalchemy import select, text, update
from xiapai_contracts.record import KEY_CHANGED, MARKER

from ledger import schema
from ledger.kafka import KafkaSettings, TopicMismatch, ensure_topics, partition_of
from ledger.relay import Relay, republish
from ledger.relay.checkpoint import Checkpoint
from ledger.relay.portion import LIMIT
from ledger.relay.relay import WAVE_SIZE
from tests.infra.servers import Infra
from tests.ledger.kafka_support import (
    HEADS,
    JARS,
    KEYS,
    LIDS,
    TOPICS,
    JarLabelled,
    LidTurned,
    Record,
    SecretKept,
    everything,
    fill,
    ledger,
    process,
    record,
    running,
    settings_for,
    until,
)


@pytest.fixture
def kafka(infra: Infra, topic_prefix: str) -> KafkaSettings:
    return settings_for(infra.kafka, infra.kafka_kind, topic_prefix)


def chain_holds(records: list[Record]) -> bool:
    """Every partition, duplicates dropped by position, is unbroken from its beginning."""
    for number in {one.partition for one in records}:
        reached = 0
        for one in records:
            if one.partition == number and one.meta.position > reached:
                if one.meta.previous != reached:
                    return False
                reached = one.meta.position
    return True


async def all_there(kafka: KafkaSettings, count: int) -> list[Record]:
    async def look() -> list[Record]:
        records = await everything(kafka, JARS)
        return records if len({one.meta.position for one in records}) >= count else []

    found: list[Record] = await until(look, what=f"{count} events on the topic")
    return found


async def test_events_arrive_in_order_with_an_unbroken_chain(database: str, kafka: KafkaSettings) -> None:
    async with ledger(database) as engine:
        await record(engine, *fill(500))
        relay = Relay(engine, kafka, "shelf", TOPICS)
        async with running(relay.run()):
            await all_there(kafka, 500)
            await record(engine, *fill(300, start=100), ("secret-1", SecretKept()), ("lid-1", LidTurned(degrees=3)))
            records = await all_there(kafka, 800)
        assert len(records) == 800
        assert chain_holds(records)
        versions: dict[bytes | None, list[int]] = defaultdict(list)
        for one in records:
            versions[one.key].append(one.meta.version)
            partition = DefaultPartitioner()(one.key, list(range(4)), None)
            assert one.partition == partition == partition_of(one.meta.stream, 4)
        assert all(seen == list(range(1, len(seen) + 1)) for seen in versions.values())
        assert not chain_holds(records[1:]), "a missing record must show"
        async with engine.connect() as connection:
            rows = {row.position: row for row in await connection.execute(select(schema.events))}
        for one in records:
            row = rows[one.meta.position]
            assert (one.value, one.meta.hash, one.meta.stream_hash, one.meta.id, one.meta.recorded_at) == (
                bytes(row.data),
                bytes(row.hash),
                bytes(row.stream_hash),
                str(row.id),
                row.recorded_at,
            )
        assert [one.meta.position for one in await everything(kafka, LIDS)] == [802]


async def test_more_than_a_wave_holds_arrives_once_and_in_order(database: str, kafka: KafkaSettings) -> None:
    count = 2 * WAVE_SIZE + LIMIT + 1
    async with ledger(database) as engine:
        await record(engine, *fill(count))
        async with running(Relay(engine, kafka, "shelf", TOPICS).run()):
            records = await all_there(kafka, count)
        assert len(records) == count
        assert chain_holds(records)


async def test_a_marker_tells_an_idle_partition_how_far_the_ledger_is(database: str, kafka: KafkaSettings) -> None:
    async with ledger(database) as engine:
        relay = Relay(engine, kafka, "shelf", TOPICS)
        async with running(relay.run()):
            await until(lambda: relay.is_leader)
            last = await record(engine, ("jar-1", fill(1)[0][1]))

            async def reached() -> bool:
                seen: dict[tuple[str, int], int] = defaultdict(int)
                for topic in (JARS, LIDS):
                    for one in await everything(kafka, topic, markers=True):
                        seen[topic.name, one.partition] = max(seen[topic.name, one.partition], one.meta.position)
                return sorted(seen.values()) == [last] * 6

            await until(reached)
            beats = len(await everything(kafka, HEADS, markers=True))
            jars = len(await everything(kafka, JARS, markers=True))

            async def beat() -> bool:
                return len(await everything(kafka, HEADS, markers=True)) >= beats + 3

            await until(beat)
            assert len(await everything(kafka, JARS, markers=True)) <= jars + 4, "idle event topics get no more markers"
        for one in await everything(kafka, JARS, markers=True):
            if one.meta.type == MARKER:
                assert one.key is None and one.value is None
                expected = last if one.partition == partition_of("jar-1", 4) and one.meta.position == last else 0
                assert one.meta.previous == expected


async def test_keys_go_to_the_compacted_topic_and_an_erasure_is_a_tombstone(
    database: str, kafka: KafkaSettings
) -> None:
    async with ledger(database) as engine, running(Relay(engine, kafka, "shelf", TOPICS).run()):
        await record(engine, *fill(1), keys={"person-1": b"one", "person-2": b"two"})
        await record(engine, *fill(1, start=9), keys={"person-1": None})

        async def there() -> dict[bytes | None, bytes | None]:
            found = await everything(kafka, KEYS)
            assert all(one.meta.type == KEY_CHANGED and one.meta.previous == 0 for one in found)
            latest = {one.key: one.value for one in found}
            return latest if latest.get(b"person-1", b"") is None else {}

        assert await until(there) == {b"person-1": None, b"person-2": b"two"}


async def test_a_crash_between_acknowledgement_and_checkpoint_repeats_and_breaks_nothing(
    database: str, kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(Exception):
        pass

    async def crash(connection: Any, new: Checkpoint, old: Checkpoint) -> None:
        if new.position > old.position:
            raise Crash

    async with ledger(database) as engine:
        await record(engine, *fill(50))
        with monkeypatch.context() as patch:
            patch.setattr("ledger.relay.relay.store", crash)
            with pytest.raises(Crash):
                await Relay(engine, kafka, "shelf", TOPICS).run()
        async with engine.connect() as connection:
            assert await connection.scalar(select(schema.published.c.position)) == 0
        assert len(await everything(kafka, JARS)) == 50
        async with running(Relay(engine, kafka, "shelf", TOPICS).run()):

            async def twice() -> bool:
                return len(await everything(kafka, JARS)) == 100

            await until(twice)
            await record(engine, *fill(50, start=50))
            records = await all_there(kafka, 100)
        assert len(records) == 150 and chain_holds(records)


async def test_one_relay_leads_and_another_takes_over_when_its_connection_dies(
    database: str, kafka: KafkaSettings
) -> None:
    async with ledger(database) as engine:
        relays = [Relay(engine, kafka, "shelf", TOPICS) for _ in range(3)]
        async with running(*(relay.run() for relay in relays)):
            await record(engine, *fill(20))
            await all_there(kafka, 20)
            assert sum(relay.is_leader for relay in relays) == 1
            async with engine.begin() as connection:
                ended = await connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                    )
                )
                assert len(ended.all()) == 1
            await record(engine, *fill(20, start=50))
            records = await all_there(kafka, 40)
            await until(lambda: sum(relay.is_leader for relay in relays) == 1)
        assert chain_holds(records)


async def test_a_frozen_leader_gives_up_its_place_and_breaks_nothing_when_it_wakes(
    database: str, kafka: KafkaSettings, infra: Infra
) -> None:
    async with ledger(database) as engine, process("relay", database, kafka, infra.kafka_kind) as frozen:
        await record(engine, *fill(20))
        await all_there(kafka, 20)
        frozen.send_signal(signal.SIGSTOP)
        relay = Relay(engine, kafka, "shelf", TOPICS)
        async with running(relay.run()):
            await record(engine, *fill(20, start=50))
            await all_there(kafka, 40)
            frozen.send_signal(signal.SIGCONT)
            await record(engine, *fill(20, start=90))
            records = await all_there(kafka, 60)
            await asyncio.sleep(2)
            assert relay.is_leader
        assert chain_holds(records)


async def test_a_topic_deleted_is_made_again_and_filled_again(
    database: str, kafka: KafkaSettings, real_kafka: str
) -> None:
    from aiokafka.admin import AIOKafkaAdminClient

    async with ledger(database) as engine, running(Relay(engine, kafka, "shelf", TOPICS).run()):
        await record(engine, *fill(60), keys={"person-1": b"one"})
        await all_there(kafka, 60)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.delete_topics([kafka.prefix + JARS.name])
        await admin.close()
        await record(engine, *fill(40, start=50))

        async def whole() -> bool:
            try:
                found = await asyncio.wait_for(everything(kafka, JARS), 5)
            except Exception:
                return False
            return len({one.meta.position for one in found}) == 100

        await until(whole, seconds=60)
        records = await everything(kafka, JARS)
        first = min(one.offset for one in records if one.meta.position == records[0].meta.position)
        assert first == 0


async def test_a_topic_deleted_and_filled_by_another_is_noticed_at_the_start(
    database: str, kafka: KafkaSettings, real_kafka: str
) -> None:
    from aiokafka import AIOKafkaProducer
    from aiokafka.admin import AIOKafkaAdminClient

    async with ledger(database) as engine:
        relay = Relay(engine, kafka, "shelf", TOPICS)
        async with running(relay.run()):
            await record(engine, *fill(60))
            await all_there(kafka, 60)
            await until(lambda: relay.lag == 0)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.delete_topics([kafka.prefix + JARS.name])

        async def gone() -> bool:
            return kafka.prefix + JARS.name not in await admin.list_topics()

        await until(gone)
        await ensure_topics(kafka, TOPICS)
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
            for number in range(4):
                for _ in range(50):
                    await producer.send(kafka.prefix + JARS.name, b"not ours", partition=number)
        async with running(Relay(engine, kafka, "shelf", TOPICS).run()):

            async def whole() -> bool:
                async with engine.connect() as connection:
                    position = await connection.scalar(select(schema.published.c.position))
                ends = await ends_of(kafka)
                return position == 60 and sum(ends) >= 260

            await until(whole)


async def ends_of(kafka: KafkaSettings) -> list[int]:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap) as consumer:
        found = await consumer.end_offsets([TopicPartition(kafka.prefix + JARS.name, number) for number in range(4)])
    return list(found.values())


async def test_republishing_by_hand_and_a_new_epoch_start_from_the_first_event(
    database: str, kafka: KafkaSettings
) -> None:
    async with ledger(database) as engine:
        relay = Relay(engine, kafka, "shelf", TOPICS)
        async with running(relay.run()):
            await record(engine, *fill(30))
            await all_there(kafka, 30)
            await until(lambda: relay._stored.position == 30)
            await republish(engine)

            async def times(count: int) -> bool:
                return len(await everything(kafka, JARS)) == 30 * count

            await until(lambda: times(2))
            async with engine.begin() as connection:
                await connection.execute(update(schema.meta).values(epoch="restored"))
            await until(lambda: times(3))
        records = await everything(kafka, JARS)
        assert chain_holds([one for one in records if one.meta.epoch != "restored"])
        again = [one for one in records if one.meta.epoch == "restored"]
        assert len(again) == 30 and chain_holds(again)


async def test_a_topic_with_another_number_of_partitions_is_refused(kafka: KafkaSettings) -> None:
    from dataclasses import replace

    await ensure_topics(kafka, TOPICS)
    assert await ensure_topics(kafka, TOPICS) == []
    with pytest.raises(TopicMismatch, match="has 4 partitions and needs 5"):
        await ensure_topics(kafka, (replace(JARS, partitions=5),))


async def test_a_large_event_does_not_stop_the_others(database: str, kafka: KafkaSettings) -> None:
    async with ledger(database) as engine:
        await record(engine, *fill(3), ("jar-1", JarLabelled(text_="x" * 600_000)), *fill(3, start=9))
        async with running(Relay(engine, kafka, "shelf", TOPICS).run()):
            assert chain_holds(await all_there(kafka, 7))
