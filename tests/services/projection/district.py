"""A registry's ledger with its relay, a broker, and a projection's database with its worker: all real, in one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.registry import TOPICS as REGISTRY
from xiapai_contracts.terms import UnitKind
from xiapai_contracts.topics import CODEC

from ledger.append import Append, Appender
from ledger.consume import Reader as Consumer
from ledger.database import connect
from ledger.kafka import KafkaSettings
from ledger.migrate import migrate
from ledger.relay import Relay
from services.projection import builds
from services.projection.audit import audit, ledger_events
from services.projection.cut import newest_cut
from services.projection.keeper import Keeper, prepare
from services.projection.project import handler
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.ledger.kafka_support import running, settings_for, until
from tests.services.projection.story import BEGAN, KEK, Story

TODAY = date(2026, 7, 1)


@dataclass(frozen=True)
class District:
    """The registry's ledger with its relay, and the projection's database."""

    ledger: AsyncEngine
    own: AsyncEngine
    kafka: KafkaSettings

    async def record(self, story: Story, after: int = 0) -> None:
        """Append what the story tells after a position, and its keys."""
        keys = {item.meta.stream: item.value for item in story.keys}
        async with Appender(self.ledger, CODEC) as appender:
            told = [(one.stream, CODEC.decode(one.name, one.schema, one.data)) for one in story.recorded[after:]]
            receipt = await appender.append(Append(events=told, by="office-1", at=BEGAN, keys=keys))
        assert receipt.position == story.head

    @asynccontextmanager
    async def relayed(self) -> AsyncIterator[None]:
        async with running(Relay(self.ledger, self.kafka, "registry", REGISTRY).run()):
            yield

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """What the projection's worker runs."""
        async with self.own.begin() as connection:
            given = await prepare(connection)
        readers = [Consumer(self.own, self.kafka, CODEC, handler(build, KEK)) for build in given]
        keeper = Keeper(self.own, self.kafka, KEK, given)
        async with running(keeper.run(), *(reader.run() for reader in readers)):
            yield

    async def live(self) -> builds.Build | None:
        async with self.own.connect() as connection:
            return await builds.live(connection)

    async def comes_to(self, position: int, other_than: int | None = None) -> builds.Build:
        """The live build, once it (and it is not ``other_than``) holds everything up to a position."""

        async def there() -> builds.Build | None:
            async with self.own.connect() as connection:
                # One moment of both: the first batch names the build's life and may bring it to the end at once.
                await connection.execution_options(isolation_level="REPEATABLE READ")
                build = await builds.live(connection)
                if build is None or build.id == other_than:
                    return None
                return build if (await newest_cut(connection, build.handler)).position >= position else None

        found: builds.Build = await until(there, 60, f"read models at {position}")
        return found

    async def sound(self) -> None:
        """The live read models say what the ledger says."""
        found = await audit(self.own, ledger_events(self.ledger), TODAY)
        assert found is not None and found.difference is None, found


@asynccontextmanager
async def opened(databases: Databases, infra: Infra, topic_prefix: str) -> AsyncIterator[District]:
    """A district on databases of its own, in which nothing runs yet."""
    ledger, own = connect(databases()), connect(databases())
    try:
        await migrate(ledger)
        await builds.migrate(own)
        yield District(ledger, own, settings_for(infra.kafka, infra.kafka_kind, topic_prefix))
    finally:
        await ledger.dispose()
        await own.dispose()


def told(story: Story, postings: int = 30) -> Story:
    """A small district, and postings that have arrived in it."""
    story.unit("D1", UnitKind.DISTRICT_DEPARTMENT)
    story.unit("T1", UnitKind.TOWN)
    for number in range(5):
        story.unit(f"V{number}", UnitKind.VILLAGE, "T1")
    for number in range(postings):
        story.post(f"P{number}", story.person(str(number), "单田芳"), f"V{number % 5}")
    return story
