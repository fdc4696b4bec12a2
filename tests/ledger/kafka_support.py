"""A small ledger of its own for the tests of relay and delivery: jars that are filled, on topics of their own."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xiapai_contracts.event import Codec, event
from xiapai_contracts.record import Meta, from_headers
from xiapai_contracts.topic import Topic

from command.chaos.verdict import Fact, Verdict, judge
from ledger.append import Append, Appender
from ledger.database import connect
from ledger.deliver import Delivered, Handler
from ledger.ending import ended
from ledger.kafka import KafkaSettings, topic_name
from ledger.migrate import migrate


@event("jar.filled")
class JarFilled:
    grams: int


@event("jar.emptied")
class JarEmptied:
    pass


@event("jar.labelled")
class JarLabelled:
    text_: str


@event("lid.turned")
class LidTurned:
    degrees: int


@event("secret.kept")
class SecretKept:
    pass


JARS = Topic("shelf.jars", "shelf", 4, (JarFilled, JarEmptied, JarLabelled))
LIDS = Topic("shelf.lids", "shelf", 2, (LidTurned,))
KEYS = Topic("shelf.keys", "shelf", 2, restricted=True, compacted=True)
HEADS = Topic("shelf.heads", "shelf", 1, retention_hours=24)
TOPICS = (JARS, LIDS, KEYS, HEADS)
CODEC = Codec((JarFilled, JarEmptied, JarLabelled, LidTurned, SecretKept))
AT = datetime(2026, 7, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def ledger(dsn: str) -> AsyncIterator[AsyncEngine]:
    engine = connect(dsn)
    try:
        await migrate(engine)
        yield engine
    finally:
        await engine.dispose()


async def record(
    engine: AsyncEngine,
    *events: tuple[str, Any],
    keys: dict[str, bytes | None] | None = None,
    at_once: int = 200,
    pause: float = 0.0,
) -> int:
    """Append the events, at most ``at_once`` in a transaction, ``pause`` seconds apart; the position of the last."""
    position = 0
    async with Appender(engine, CODEC) as appender:
        for first in range(0, len(events) or 1, at_once):
            receipt = await appender.append(
                Append(by="test", at=AT, events=events[first : first + at_once], keys=keys or {})
            )
            position = receipt.position
            if pause:
                await asyncio.sleep(pause)
    return position


def fill(count: int, jars: int = 7, start: int = 1) -> list[tuple[str, Any]]:
    """``count`` events on ``jars`` streams; each jar's grams count up from ``start``."""
    return [(f"jar-{n % jars}", JarFilled(grams=start + n // jars)) for n in range(count)]


@asynccontextmanager
async def running(*parts: Awaitable[Any]) -> AsyncIterator[None]:
    """Let them run beside the test; one that fails fails the test at the end."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        yield
    finally:
        await ended(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()


async def until(condition: Callable[[], Any], seconds: float = 120.0, what: str = "") -> Any:
    """Wait for a condition (a plain or an async callable) to hold; what it gave. Where ``seconds`` is a bound that is
    promised it is given; else it is the patience of a test on a busy machine."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"did not come true in {seconds} s: {what or condition}"
        await asyncio.sleep(0.05)


def settings_for(bootstrap: str, kind: str, prefix: str) -> KafkaSettings:
    real = kind == "kafka"
    return KafkaSettings(
        bootstrap=bootstrap,
        prefix=prefix,
        idempotent=real,
        single_record_batches=not real,
        replication=1,
        session_timeout_seconds=6,
    )


class Record:
    """A record as a plain consumer sees it."""

    def __init__(self, found: Any) -> None:
        self.partition: int = found.partition
        self.offset: int = found.offset
        self.key: bytes | None = found.key
        self.value: bytes | None = found.value
        self.meta: Meta = from_headers(found.headers)


async def everything(settings: KafkaSettings, topic: Topic, markers: bool = False) -> list[Record]:
    """All records of a topic up to its present end, partition by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic_name(settings, topic), number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        found: list[Any] = []
        deadline = time.monotonic() + 20
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            assert time.monotonic() < deadline, "the topic cannot be read to its end"
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
    finally:
        await consumer.stop()
    found.sort(key=lambda one: (one.partition, one.offset))
    records = [Record(one) for one in found]
    return [one for one in records if markers or one.meta.type != "ledger.marker"]


class Shelf:
    """A read model for tests: every event that was applied stands in a row, as often as it was."""

    def __init__(self, name: str = "shelf-view", topics: tuple[Topic, ...] = (JARS, LIDS)) -> None:
        self.poison: set[str] = set()
        self.handler = Handler(name, topics, self.apply)
        self.batches: list[int] = []

    async def apply(self, connection: AsyncConnection, events: Sequence[Delivered]) -> None:
        self.batches.append(len(events))
        for one in events:
            if one.meta.stream in self.poison:
                raise ValueError(f"{one.meta.stream} is bitter")
        await connection.execute(
            text("INSERT INTO applied (handler, epoch, stream, version, position) VALUES (:h, :e, :s, :v, :p)"),
            [
                {
                    "h": self.handler.name,
                    "e": one.meta.epoch,
                    "s": one.meta.stream,
                    "v": one.meta.version,
                    "p": one.meta.position,
                }
                for one in events
            ],
        )


async def make_shelf(engine: AsyncEngine) -> None:
    """The table of `Shelf`, in the ledger's own database. ``place`` tells the order in which rows were written."""
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE TABLE applied (handler text, epoch text, stream text, version int, position bigint,"
                " place bigint GENERATED ALWAYS AS IDENTITY)"
            )
        )


async def applied(engine: AsyncEngine, handler: str = "shelf-view") -> list[tuple[str, int]]:
    """Stream and version of what was applied, in the order of applying."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT stream, version FROM applied WHERE handler = :h ORDER BY place"), {"h": handler}
        )
        return [(row.stream, row.version) for row in rows]


async def promised(engine: AsyncEngine) -> list[Fact]:
    """All that the ledger recorded."""
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT stream, version FROM ledger ORDER BY position"))
        return [(row.stream, row.version) for row in rows]


async def verdict(engine: AsyncEngine, handler: str = "shelf-view") -> Verdict:
    """What the ledger recorded, against what was applied in the same database."""
    return judge(await promised(engine), await applied(engine, handler))


def in_order(rows: list[tuple[str, int]]) -> bool:
    """Whether every stream was applied from its first event on, each event once."""
    seen: dict[str, int] = {}
    for stream, version in rows:
        if version != seen.get(stream, 0) + 1:
            return False
        seen[stream] = version
    return True


@asynccontextmanager
async def process(
    role: str, database: str, kafka: KafkaSettings, kind: str, module: str = "tests.ledger.process"
) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        role,
        database,
        kafka.bootstrap,
        kind,
        kafka.prefix,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def says(worker: asyncio.subprocess.Process, word: str) -> None:
    assert worker.stdout is not None
    async with asyncio.timeout(120):
        while (line := (await worker.stdout.readline()).decode().strip()) != word:
            assert line, f"the process ended before it said {word}"
