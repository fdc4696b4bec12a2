"""重建 builds the read models anew beside the live ones, and switches: from Kafka, or from the registry's ledger."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xiapai_contracts.registry import HEADS
from xiapai_contracts.topics import CODEC

from chassis.seal import Kek
from ledger import reader, watermark
from ledger.consume import Reader
from ledger.deliver import Delivered
from ledger.kafka import KafkaSettings, Partition
from ledger.schema import keyring
from ledger.watermark import Watermark
from services.projection.audit import Audited, Events, Progress, audit, no_progress
from services.projection.builds import Build, begin, builds, drop, live, switch, use
from services.projection.compare import Unlike, compare
from services.projection.cut import EVENT_TOPICS, newest_cut
from services.projection.from_ledger import delivered, delivered_key
from services.projection.keeper import caught_up
from services.projection.project import TOPICS, handler, project

_PORTION = 2000
_LOOK_SECONDS = 0.3


class AlreadyRebuilding(Exception):
    """Another command is rebuilding this database."""


class NotRight(Exception):
    """The new build is not what the ledger says: it was dropped, and the live one stays. ``audited`` says where."""

    def __init__(self, audited: Audited) -> None:
        super().__init__(str(audited.difference))
        self.audited = audited


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The build that is live now, up to which position it was built, how the one before differed from it (None: not at
    all, or there was none to compare), and what the audit said (None: no ledger was given)."""

    build: Build
    position: int
    before: Unlike | None
    audited: Audited | None


async def rebuild_from_kafka(
    engine: AsyncEngine,
    kafka: KafkaSettings,
    kek: Kek,
    today: date,
    events: Events | None = None,
    progress: Progress = no_progress,
) -> Rebuilt:
    """Read everything again from the first record on; workers that run go on with the new build after the switch. With
    ``events`` (the ledger's), it is audited before.

    Raises:
        NotRight: the audit found a difference.
        AlreadyRebuilding: one at a time.
    """
    async with _alone(engine):
        async with engine.begin() as connection:
            current = await live(connection)
            epoch, former = (current.epoch, current.former) if current else (None, ())
            build = await begin(connection, "filling", epoch=epoch, former=former)
        async with _or_dropped(engine, build):
            async with _reading(engine, kafka, kek, build) as reading:
                while not await _caught_up(engine, build, current, progress):
                    await asyncio.wait({reading}, timeout=_LOOK_SECONDS)
                    if reading.done():
                        reading.result()
            return await _verified(engine, build, current, today, events)


async def _caught_up(engine: AsyncEngine, build: Build, current: Build | None, progress: Progress) -> bool:
    async with engine.connect() as connection:
        cut = await newest_cut(connection, build.handler)
        goal = await newest_cut(connection, current.handler) if current else cut
        done = await caught_up(connection, build)
    progress(cut.position, max(goal.position, cut.position))
    return done


@asynccontextmanager
async def _alone(engine: AsyncEngine) -> AsyncIterator[None]:
    """One command at a time; what a killed one left is dropped."""
    async with engine.connect() as connection:
        if not await connection.scalar(text("SELECT pg_try_advisory_lock(hashtext('xiapai.rebuild'))")):
            raise AlreadyRebuilding
        await connection.commit()
        try:
            async with engine.begin() as other:
                for build in await builds(other):
                    if build.state == "filling":
                        await drop(other, build)
            yield
        finally:
            await connection.rollback()
            await connection.execute(text("SELECT pg_advisory_unlock(hashtext('xiapai.rebuild'))"))
            await connection.commit()


@asynccontextmanager
async def _or_dropped(engine: AsyncEngine, build: Build) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        async with engine.begin() as connection:
            await drop(connection, build)
        raise


@asynccontextmanager
async def _reading(
    engine: AsyncEngine, kafka: KafkaSettings, kek: Kek, build: Build
) -> AsyncIterator[asyncio.Task[None]]:
    one = Reader(engine, kafka, CODEC, handler(build, kek))
    task = asyncio.create_task(one.run(), name=build.handler)
    try:
        yield task
    finally:
        await one.end(task)


async def rebuild_from_ledger(
    engine: AsyncEngine,
    ledger: AsyncEngine,
    kek: Kek,
    today: date,
    events: Events | None = None,
    progress: Progress = no_progress,
) -> Rebuilt:
    """Read everything from the registry's own ledger, in one snapshot of it; Kafka is not needed. What comes after, the
    workers read from Kafka.

    Raises:
        NotRight: the audit found a difference.
        AlreadyRebuilding: one at a time.
    """
    async with _alone(engine), ledger.connect() as source:
        await source.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        async with source.begin():
            epoch, head = await reader.epoch(source), await reader.head(source)
            async with engine.begin() as connection:
                current = await live(connection)
                lives = [] if current is None else [*current.former, current.epoch]
                former = [one for one in lives if one not in (None, epoch)]
                build = await begin(connection, "filling", epoch=epoch, former=former)
            async with _or_dropped(engine, build):
                await _fill(engine, source, build, kek, epoch, head, progress)
                return await _verified(engine, build, current, today, events)


async def _fill(
    engine: AsyncEngine, source: AsyncConnection, build: Build, kek: Kek, epoch: str, head: int, progress: Progress
) -> None:
    marks: dict[Partition, int] = {(t.name, n): 0 for t in TOPICS for n in range(t.partitions)}
    rows = (await source.execute(select(keyring.c.stream, keyring.c.wrapped, keyring.c.change))).all()
    keys = [delivered_key(row.stream, row.wrapped, row.change, epoch) for row in rows]
    for start in range(0, len(keys), _PORTION):
        await _take(engine, build, kek, keys[start : start + _PORTION], marks)
    after = 0
    while after < head:
        portion = await reader.read(source, after, _PORTION)
        items = [item for recorded in portion if (item := delivered(recorded, epoch)) is not None]
        await _take(engine, build, kek, items, marks)
        after = portion[-1].position
        progress(after, head)
    evented, now = {topic.name for topic in (*EVENT_TOPICS, HEADS)}, datetime.now(UTC)
    async with engine.begin() as connection:
        await watermark.load(connection, build.handler, marks)
        saved = {
            (topic, number): Watermark(
                epoch=epoch,
                position=position,
                reached=head if topic in evented else position,
                reached_at=now if topic in evented else None,
            )
            for (topic, number), position in marks.items()
        }
        await watermark.save(connection, build.handler, saved)


async def _take(
    engine: AsyncEngine, build: Build, kek: Kek, items: list[Delivered], marks: dict[Partition, int]
) -> None:
    async with engine.begin() as connection:
        await use(connection, build)
        await project(connection, items, kek)
    for item in items:
        place = (item.topic, item.partition)
        marks[place] = max(marks[place], item.meta.position)


async def _verified(
    engine: AsyncEngine, build: Build, before: Build | None, today: date, events: Events | None
) -> Rebuilt:
    audited = await audit(engine, events, today, build) if events is not None else None
    if audited is not None and audited.difference is not None:
        raise NotRight(audited)
    async with engine.begin() as connection:
        unlike = None
        if before is not None and before.version == build.version and before.epoch in (None, build.epoch):
            unlike = await compare(connection, build, before)
        await switch(connection, build)
        position = (await newest_cut(connection, build.handler)).position
    return Rebuilt(build, position, unlike, audited)
