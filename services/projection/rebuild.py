"""重建 builds the read models anew beside the live ones, and switches: from Kafka, or from the registry's ledger."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.topics import CODEC

from chassis.seal import Kek
from ledger import reader, watermark
from ledger.consume import Reader
from ledger.database import moment
from ledger.kafka import KafkaSettings
from services.projection.audit import Audited, Events, Progress, audit, no_progress
from services.projection.builds import Build, begin, builds, drop, index, live, lock, switch
from services.projection.compare import Unlike, compare
from services.projection.cut import newest_cut
from services.projection.filling import Filling
from services.projection.keeper import caught_up
from services.projection.project import TOPICS, handler

Step = Callable[[], Awaitable[None]]
Reach = Callable[[int], Awaitable[None]]

_PARTITIONS = [(topic.name, number) for topic in TOPICS for number in range(topic.partitions)]
_LOOK_SECONDS = 0.3
_REACH_SECONDS = 0.02
_HOLD_SECONDS = 5.0  # the server ends a session that holds watermarks for longer than watermark.IDLE_SECONDS


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
        async with _or_dropped(engine, build), _reading(engine, kafka, kek, build) as reading:

            async def catch_up() -> None:
                while not await _caught_up(engine, build, current, progress):
                    await asyncio.wait({reading}, timeout=_LOOK_SECONDS)
                    if reading.done():
                        reading.result()

            async def reach(position: int) -> None:
                while True:
                    if await _position(engine, build) >= position:
                        return
                    await asyncio.sleep(_REACH_SECONDS)

            await catch_up()
            await index(engine, build)
            audited, unlike = await _verified(engine, build, current, today, events)
            position = await _switched(engine, build, current, catch_up, reach)
            return Rebuilt(build, position, unlike, audited)


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
    """Read everything from the registry's own ledger; Kafka is not needed. What comes after, the workers read from Kafka.

    Raises:
        NotRight: the audit found a difference.
        AlreadyRebuilding: one at a time.
    """
    async with _alone(engine):
        async with moment(ledger) as source:
            epoch = await reader.epoch(source)
        async with engine.begin() as connection:
            current = await live(connection)
            lives = [] if current is None else [*current.former, current.epoch]
            former = [one for one in lives if one not in (None, epoch)]
            build = await begin(connection, "filling", epoch=epoch, former=former)
        async with _or_dropped(engine, build):
            filling = Filling(engine, ledger, build, kek, epoch, progress)
            await filling.catch_up()
            await index(engine, build)
            audited, unlike = await _verified(engine, build, current, today, events)
            position = await _switched(engine, build, current, filling.catch_up, filling.reach)
            return Rebuilt(build, position, unlike, audited)


async def _position(engine: AsyncEngine, build: Build) -> int:
    async with engine.connect() as connection:
        return (await newest_cut(connection, build.handler)).position


async def _verified(
    engine: AsyncEngine, build: Build, before: Build | None, today: date, events: Events | None
) -> tuple[Audited | None, Unlike | None]:
    audited = await audit(engine, events, today, build) if events is not None else None
    if audited is not None and audited.difference is not None:
        raise NotRight(audited)
    if before is None or before.version != build.version or not _of_one_life(build, before):
        return audited, None
    async with engine.connect() as connection:
        return audited, await compare(connection, build, before)


def _of_one_life(build: Build, before: Build) -> bool:
    return before.epoch in (None, build.epoch)


async def _switched(engine: AsyncEngine, build: Build, before: Build | None, catch_up: Step, reach: Reach) -> int:
    """Switch at a moment when the new build holds all that the live one shows, so that nobody who reads goes back in
    time; the position of that moment. The live build's workers wait meanwhile, at most for as long as we hold it."""
    while True:
        async with engine.begin() as connection:
            await lock(connection)
            if before is not None and _of_one_life(build, before):
                await watermark.take(connection, before.handler, _PARTITIONS)
                shown = (await newest_cut(connection, before.handler)).position
                with suppress(TimeoutError):
                    async with asyncio.timeout(_HOLD_SECONDS):
                        await reach(shown)
            else:
                shown = 0
            position = (await newest_cut(connection, build.handler)).position
            if position >= shown:
                await switch(connection, build)
                return position
        await catch_up()
