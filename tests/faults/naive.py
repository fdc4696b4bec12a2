"""What one writes first. Each part here breaks one promise under one fault, and is run beside the real one under the same
fault and the same verdict, which thereby is seen to find what it is there to find.

As a process: `python -m tests.faults.naive ROLE DSN BOOTSTRAP KIND PREFIX`, like tests.ledger.process; :func:`as_command`
runs one to its end.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import faust
import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from fastapi import FastAPI
from joserfc.jwt import JWTClaimsRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.record import Meta, from_headers, to_headers

from command.chaos.verdict import Fact
from ledger.append import Append, Appender
from ledger.database import connect
from ledger.kafka import KafkaSettings, ensure_topics, partition_of, topic_name
from ledger.reader import read
from ledger.recorded import Recorded
from ledger.relay import Relay
from ledger.relay.leadership import Leadership
from ledger.relay.publisher import Publisher
from tests.ledger.kafka_support import AT, CODEC, JARS, TOPICS, settings_for, until


async def put_on_shelf(engine: AsyncEngine, handler: str, metas: Sequence[Meta], linger: float = 0.0) -> None:
    """The same rows as `Shelf`, in a transaction of their own that knows nothing of positions."""
    if not metas:
        return
    async with engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO applied (handler, epoch, stream, version, position) VALUES (:h, :e, :s, :v, :p)"),
            [{"h": handler, "e": one.epoch, "s": one.stream, "v": one.version, "p": one.position} for one in metas],
        )
        if linger:
            print("applying", flush=True)
            await asyncio.sleep(linger)


def consumer(kafka: KafkaSettings, group: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        topic_name(kafka, JARS),
        bootstrap_servers=kafka.bootstrap,
        group_id=kafka.prefix + group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6000,
        heartbeat_interval_ms=1500,
    )


def events_of(found: Any) -> list[Meta]:
    metas = [from_headers(record.headers) for records in found.values() for record in records]
    return [meta for meta in metas if meta.type != "ledger.marker"]


async def commit_afterwards(engine: AsyncEngine, kafka: KafkaSettings, linger: float) -> None:
    """A consumer that applies, and then commits its offsets to the group: no watermark fences it."""
    async with consumer(kafka, "naive-afterwards") as reading:
        while True:
            found = await reading.getmany(timeout_ms=200, max_records=500)
            if metas := events_of(found):
                await put_on_shelf(engine, "naive", metas, linger)
            with suppress(KafkaError):
                await reading.commit()


async def skip_poison(engine: AsyncEngine, kafka: KafkaSettings, bitter: set[Fact]) -> None:
    """A handler that logs what it cannot take, and goes on."""
    async with consumer(kafka, "naive-skips") as reading:
        while True:
            metas = events_of(await reading.getmany(timeout_ms=200, max_records=500))
            await put_on_shelf(engine, "skips", [one for one in metas if (one.stream, one.version) not in bitter])


async def retry_poison(engine: AsyncEngine, kafka: KafkaSettings, bitter: set[Fact]) -> None:
    """A handler that tries what it cannot take again and again; here it waits for the fix, which comes to the same."""
    async with consumer(kafka, "naive-retries") as reading:
        while True:
            for meta in events_of(await reading.getmany(timeout_ms=200, max_records=500)):
                fact = (meta.stream, meta.version)
                await until(lambda fact=fact: fact not in bitter, float("inf"))  # type: ignore[misc]
                await put_on_shelf(engine, "retries", [meta])


def agent(dsn: str, kafka: KafkaSettings) -> faust.App:
    """A stock Faust agent: an error that escapes it acknowledges the event all the same."""
    app = faust.App(
        kafka.prefix + "naive-agent",
        broker=f"kafka://{kafka.bootstrap}",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        autodiscover=False,
        broker_commit_interval=0.5,
        stream_wait_empty=True,
    )
    topic = app.topic(
        topic_name(kafka, JARS), value_type=bytes, value_serializer="raw", key_serializer="raw", allow_empty=True
    )

    @app.agent(topic)
    async def apply(stream: Any) -> None:
        engine = connect(dsn)
        async for event in stream.events():
            meta = from_headers(list(event.headers.items()))
            if meta.type != "ledger.marker":
                await put_on_shelf(engine, "agent", [meta], 0.05)

    return app


async def remember_first(engine: AsyncEngine, kafka: KafkaSettings, linger: float) -> None:
    """A relay that stores how far it has come, and then sends."""
    await ensure_topics(kafka, TOPICS)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        while True:
            async with engine.begin() as connection:
                after = int(await connection.scalar(text("SELECT coalesce(max(position), 0) FROM remembered")))
                events = await read(connection, after, 20)
                if events:
                    await connection.execute(text("INSERT INTO remembered VALUES (:p)"), {"p": events[-1].position})
            if events:
                print("remembered", flush=True)
            await asyncio.sleep(linger)
            for recorded in events:
                await send(producer, kafka, recorded)


async def look_when_due(engine: AsyncEngine) -> None:
    """A reader that looks again when the time of day says that it is due."""
    after, due = 0, time.time()
    while True:
        await asyncio.sleep(0.05)
        if time.time() < due:
            continue
        due = time.time() + 0.2
        async with engine.connect() as connection:
            events = await read(connection, after, 500)
        if events:
            await put_on_shelf(engine, "when-due", [meta_of(one) for one in events])
            after = events[-1].position


async def asked(engine: AsyncEngine) -> httpx.Response:
    """What an API answers that asks its database, and leaves what goes wrong to its framework."""
    app = FastAPI()

    @app.get("/")
    async def count() -> int:
        async with engine.connect() as connection:
            return int(await connection.scalar(text("SELECT count(*) FROM ledger")))

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://naive") as http:
        return await http.get("/")


def age(latest: datetime, now: datetime) -> timedelta:
    """How old an answer is, by the latest time that was ever heard."""
    return max(timedelta(0), now - latest)


def session(opened: float, now: float) -> None:
    """A session as a token that says when it was opened, and is looked at as tokens are. Raises where it does not hold."""
    claims = {"nbf": int(opened), "exp": int(opened) + 8 * 3600}
    JWTClaimsRegistry(now=int(now)).validate(claims)


def meta_of(recorded: Recorded) -> Meta:
    return Meta(
        source="shelf",
        type=recorded.name,
        epoch="naive",
        position=recorded.position,
        previous=0,
        published=recorded.recorded_at,
        id=str(recorded.id),
        stream=recorded.stream,
        version=recorded.version,
        schema=recorded.schema,
        at=recorded.at,
        recorded_at=recorded.recorded_at,
    )


async def send(producer: AIOKafkaProducer, kafka: KafkaSettings, recorded: Recorded) -> None:
    number = partition_of(recorded.stream, JARS.partitions)
    await producer.send_and_wait(
        topic_name(kafka, JARS),
        recorded.data,
        recorded.stream.encode(),
        partition=number,
        headers=to_headers(meta_of(recorded)),
    )


async def write_to_both(engine: AsyncEngine, kafka: KafkaSettings, events: Sequence[tuple[str, Any]]) -> None:
    """A command that appends, and then sends to the broker by itself, a second at most."""
    async with Appender(engine, CODEC) as appender:
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, request_timeout_ms=1000)
        await producer.start()
        try:
            for event in events:
                receipt = await appender.append(Append(by="test", at=AT, events=[event]))
                async with engine.connect() as connection:
                    (recorded,) = await read(connection, receipt.position - 1, 1)
                with suppress(KafkaError, TimeoutError):
                    await asyncio.wait_for(send(producer, kafka, recorded), 1.0)
                await asyncio.sleep(0.1)
        finally:
            with suppress(Exception):
                await asyncio.wait_for(producer.stop(), 2)


class TrustingRelay(Relay):
    """A relay that never looks whether the topic is still the one that it filled."""

    async def _session(self, leadership: Leadership) -> None:
        await ensure_topics(self._kafka, self._topics)
        async with Publisher(self._kafka) as publisher:
            await self._publish(leadership, publisher)


def as_command(role: str, dsn: str, bootstrap: str) -> subprocess.CompletedProcess[str]:
    """A naive process where it ends by itself, or a minute is over (subprocess.TimeoutExpired)."""
    command = [sys.executable, "-m", __name__, role, dsn, bootstrap, "kafka", "naive."]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


async def main(role: str, dsn: str, bootstrap: str, kind: str, prefix: str) -> None:
    engine, kafka = connect(dsn), settings_for(bootstrap, kind, prefix)
    print("started", flush=True)
    match role:
        case "commit-afterwards":
            await commit_afterwards(engine, kafka, 0.3)
        case "remember-first":
            await remember_first(engine, kafka, 0.3)
        case "when-due":
            await look_when_due(engine)


if __name__ == "__main__":
    if sys.argv[1] == "agent":
        faust.Worker(agent(sys.argv[2], settings_for(*sys.argv[3:])), loglevel="ERROR").execute_from_commandline()
    else:
        asyncio.run(main(*sys.argv[1:]))
