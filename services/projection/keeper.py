"""Keeps the builds in a worker: a build of this program's version is there, every one that is being built is read into,
and the one that has caught up becomes live."""

import asyncio

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xiapai_contracts.topics import CODEC

from chassis.health import Condition, Degraded, Fine, Missing
from chassis.seal import Kek
from ledger.consume import Reader
from ledger.kafka import KafkaSettings
from ledger.trouble import is_trouble
from services.projection.builds import VERSION, Build, begin, builds, live, lock, sweep, switch
from services.projection.cut import head_of, newest_cut
from services.projection.project import handler

LOOK_SECONDS = 1.0

log = structlog.get_logger("builds")


async def prepare(connection: AsyncConnection) -> list[Build]:
    """See that a build of this program is there or under way, and return those that are to be read into. The first of
    all is live from the start: there is nothing better to look at, and its vector says what it holds so far."""
    await lock(connection)
    there = await builds(connection)
    if not there:
        await switch(connection, await begin(connection))
    current = next((build for build in there if build.state == "live"), None)
    if current is not None and current.successor is not None:
        await begin(connection, epoch=current.successor, former=[*current.former, current.epoch or ""])
    elif current is not None and current.version < VERSION:
        await begin(connection, epoch=current.epoch, former=current.former)
    return [b for b in await builds(connection) if b.version == VERSION and b.state in ("live", "building")]


async def caught_up(connection: AsyncConnection, build: Build) -> bool:
    """Whether a build holds all that the live one holds, and all that is known to be published."""
    cut = await newest_cut(connection, build.handler)
    head = await head_of(connection, build.handler)
    if head is None or cut.position < head:
        return False
    current = next((other for other in await builds(connection) if other.state == "live"), None)
    if current is None or current.successor is not None:
        return True
    return cut.position >= (await newest_cut(connection, current.handler)).position


class Keeper:
    """Run it beside the worker, which reads into the builds of ``given``."""

    def __init__(self, engine: AsyncEngine, kafka: KafkaSettings, kek: Kek, given: list[Build]) -> None:
        self._engine, self._kafka, self._kek = engine, kafka, kek
        self._read = {build.id for build in given}
        self._readers: dict[int, tuple[Reader, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Until cancelled. A reader's failure is raised."""
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                try:
                    await self.look()
                except Exception as error:
                    if not is_trouble(error):
                        raise
                    log.warning("builds-not-seen", error=type(error).__name__)
        finally:
            await asyncio.gather(*(reader.end(task) for reader, task in self._readers.values()))

    async def ready(self) -> Condition:
        """Not before read models of this program's version are live: who waits for that may replace the API then."""
        try:
            async with self._engine.connect() as connection:
                current = await live(connection)
        except Exception as error:
            if not is_trouble(error):
                raise
            return Degraded("the database is away")
        if current is None or current.version < VERSION:
            return Missing(f"read models of version {VERSION}, which are being built beside the live ones")
        return Fine()

    async def look(self) -> None:
        """Once round: read into what is new, switch what has caught up, drop what is old."""
        async with self._engine.begin() as connection:
            wanted = await prepare(connection)
            gone = await sweep(connection)
            ready = [build for build in wanted if build.state == "building" and await caught_up(connection, build)]
            for build in ready[-1:]:
                await switch(connection, build)
                log.info("build-live", build=build.id, version=build.version)
        for build in wanted:
            if build.id not in self._read:
                self._read.add(build.id)
                reader = Reader(self._engine, self._kafka, CODEC, handler(build, self._kek))
                self._readers[build.id] = reader, asyncio.create_task(reader.run(), name=build.handler)
        for build in gone:
            if build.id in self._readers:
                self._readers[build.id][0].stop()
        for number, (_, task) in list(self._readers.items()):
            if task.done():
                del self._readers[number]
                task.result()
