"""读模型的构建 builds of the read models: each in a PostgreSQL schema of its own, one of them live.

Read models are never migrated. Another version is built beside the live one, from the first event on, and switched in
one transaction while reads go on. A build's rows are written by its own handler, whose name carries the build's number,
so that its watermarks begin at nothing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis.problems import Unavailable
from ledger import migrate as ledger_migrate
from services.projection.cadres import CADRES_VERSION
from services.projection.events import EVENTS_VERSION
from services.projection.persons import PERSONS_VERSION
from services.projection.postings import POSTINGS_VERSION
from services.projection.tables import metadata
from services.projection.units import UNITS_VERSION

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATIONS_TABLE = "projection_schema"
VERSION = ".".join(
    f"{name}{number}"
    for name, number in (
        ("units", UNITS_VERSION),
        ("persons", PERSONS_VERSION),
        ("cadres", CADRES_VERSION),
        ("postings", POSTINGS_VERSION),
        ("events", EVENTS_VERSION),
    )
)
"""What the tables of this program hold: where it differs from the live build's, a new one is built."""

GRACE = timedelta(seconds=60)
"""How long a retired build is kept, for the reads that began before the switch."""


@dataclass(frozen=True, slots=True)
class Build:
    """``state`` is building, live or retired."""

    id: int
    version: str
    state: str

    @property
    def schema(self) -> str:
        return f"rm_{self.id}"

    @property
    def handler(self) -> str:
        return f"projection-{self.id}"


async def migrate(engine: AsyncEngine) -> None:
    """Bring the projection's database to the form that this program knows. Raises ``SchemaMismatch``."""
    await ledger_migrate.migrate(engine)
    await ledger_migrate.migrate(engine, MIGRATIONS, MIGRATIONS_TABLE)


async def check(engine: AsyncEngine) -> None:
    """Refuse a database of another form. Raises ``SchemaMismatch``."""
    await ledger_migrate.check(engine)
    await ledger_migrate.check(engine, MIGRATIONS, MIGRATIONS_TABLE)


async def builds(connection: AsyncConnection) -> list[Build]:
    """All builds that are not dropped, the oldest first."""
    rows = await connection.execute(text("SELECT id, version, state FROM public.builds ORDER BY id"))
    return [Build(*row) for row in rows]


async def live(connection: AsyncConnection) -> Build | None:
    """The build that answers questions."""
    return next((build for build in await builds(connection) if build.state == "live"), None)


async def begin(connection: AsyncConnection, version: str = VERSION) -> Build:
    """A new build of this version with empty tables; or the one that is under way."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('xiapai.builds'))"))
    for build in await builds(connection):
        if build.state == "building" and build.version == version:
            return build
    statement = text("INSERT INTO public.builds (version, state) VALUES (:version, 'building') RETURNING id")
    build = Build(await connection.scalar(statement, {"version": version}) or 0, version, "building")
    await connection.execute(text(f"CREATE SCHEMA {build.schema}"))
    await use(connection, build)
    await connection.run_sync(_create)
    return build


def _create(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)


async def switch(connection: AsyncConnection, build: Build) -> None:
    """Make the build live, in the caller's transaction; the one before is retired."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('xiapai.builds'))"))
    await connection.execute(
        text("UPDATE public.builds SET state = 'retired', retired_at = now() WHERE state = 'live' AND id <> :id"),
        {"id": build.id},
    )
    await connection.execute(
        text("UPDATE public.builds SET state = 'live', live_at = now() WHERE id = :id AND state <> 'live'"),
        {"id": build.id},
    )


async def abandon(connection: AsyncConnection, build: Build) -> None:
    """Drop a build with its tables, its watermarks and its dead letters."""
    await connection.execute(text(f"DROP SCHEMA IF EXISTS {build.schema} CASCADE"))
    for table in ("watermarks", "dead_letters"):
        await connection.execute(
            text(f"DELETE FROM public.{table} WHERE handler = :handler"), {"handler": build.handler}
        )
    await connection.execute(text("DELETE FROM public.builds WHERE id = :id"), {"id": build.id})


async def sweep(connection: AsyncConnection, grace: timedelta = GRACE) -> list[Build]:
    """Drop the builds that were retired longer ago than ``grace``, and unfinished ones of other versions as old."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('xiapai.builds'))"))
    statement = text(
        "SELECT id, version, state FROM public.builds WHERE state = 'retired' AND retired_at <= now() - :grace"
    )
    gone = [Build(*row) for row in await connection.execute(statement, {"grace": grace})]
    for build in gone:
        await abandon(connection, build)
    return gone


async def use(connection: AsyncConnection, build: Build) -> None:
    """Let the rest of the transaction mean this build's tables."""
    await connection.execute(text(f"SET LOCAL search_path = {build.schema}, public"))


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[tuple[AsyncConnection, Build]]:
    """A read-only transaction that sees one moment of the live build. Raises Unavailable (503) where there is none yet
    that this program can read."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        async with connection.begin():
            build = await live(connection)
            if build is None or build.version != VERSION:
                raise Unavailable("read-models-not-built", headers={"Retry-After": "2"})
            await use(connection, build)
            yield connection, build
