"""From a command sent to its row readable in the read model's table, through api, ledger, relay, Kafka and worker; quiet,
and while half of what the system carries goes through it; beside a bare produce and consume on the same broker."""

import asyncio
from collections.abc import AsyncGenerator
from statistics import median
from time import monotonic

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from xiapai_contracts.registry import HEADS

from benchmarks.commands import registration
from benchmarks.lab import Lab
from benchmarks.load import exchange, load
from benchmarks.rows import Goal, Round, Row, percentile
from benchmarks.running import Running, install, running
from ledger.kafka import KafkaSettings, ensure_topics, topic_name

BARE = "bare produce and consume, p50"
QUIET = Row("command to visible row, quiet, p50", BARE, "ms", Goal(None, 3))
QUIET_99 = Row("command to visible row, quiet, p99", "", "ms", Goal(None, 50, own=True))
BUSY = Row("command to visible row, half load, p50", BARE, "ms")
BUSY_99 = Row("command to visible row, half load, p99", "", "ms")
CLIENTS = 16


async def measure(lab: Lab) -> AsyncGenerator[Round]:
    place = await install(lab, ["registry", "projection"])
    async with running(place, "api", "relay", "worker") as system:
        await _seen(system, 20)
        carried = (
            await load(system.port, lambda: registration(system), connections=CLIENTS, seconds=lab.seconds(3))
        ).rate
        await _seen(system, 20)
        for _ in range(lab.rounds):
            quiet = await _seen(system, lab.size(100, 30))
            peer = await _bare(lab.topics(), lab.size(200, 50))
            yield Round(QUIET, median(quiet), median(peer))
            yield Round(QUIET_99, percentile(quiet, 0.99))
            beside = asyncio.create_task(
                load(system.port, lambda: registration(system), connections=CLIENTS, seconds=lab.seconds(6), pace=max(1.0, carried / 2))
            )  # fmt: skip
            busy = await _seen(system, lab.size(100, 30), pause=0.02)
            await beside
            yield Round(BUSY, median(busy), median(peer))
            yield Round(BUSY_99, percentile(busy, 0.99))


async def _seen(system: Running, times: int, pause: float = 0.01) -> list[float]:
    """Milliseconds of so many commands, one after another."""
    reader, writer = await asyncio.open_connection("127.0.0.1", system.port)
    database = await asyncpg.connect(system.databases["projection"])
    try:
        schema = await database.fetchval("SELECT 'rm_' || id FROM public.builds WHERE state = 'live'")
        look = f"SELECT EXISTS (SELECT FROM {schema}.units WHERE unit = $1)"
        found = []
        for _ in range(times):
            request = registration(system)
            unit = request.partition(b'"unit": "')[2][:15].decode()
            began = monotonic()
            await exchange(reader, writer, request)
            while not await database.fetchval(look, unit):
                pass  # each look takes a third of a millisecond itself
            found.append((monotonic() - began) * 1000)
            await asyncio.sleep(pause)
        return found
    finally:
        await database.close()
        writer.close()


async def _bare(kafka: KafkaSettings, times: int) -> list[float]:
    await ensure_topics(kafka, [HEADS])
    name = topic_name(kafka, HEADS)
    producer = AIOKafkaProducer(**kafka.connection(), acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(**kafka.connection(), auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        consumer.assign([TopicPartition(name, 0)])
        found = []
        for number in range(times + 5):
            began = monotonic()
            sending = asyncio.ensure_future(producer.send_and_wait(name, b"%d" % number, partition=0))
            await consumer.getone()
            if number >= 5:
                found.append((monotonic() - began) * 1000)
            await sending
            await asyncio.sleep(0.01)
        return found
    finally:
        await consumer.stop()
        await producer.stop()
