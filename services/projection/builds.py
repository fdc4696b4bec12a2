"""读模型的构建 builds of the read models: each in a PostgreSQL schema of its own, one of them live.

Read models are never migrated. Another version is built beside the live one, from the first event on, and switched in
one transaction while reads go on. A build's rows are written by its own handler, whose name carries the build's number,
so that its watermarks begin at nothing. A build belongs to one life (epoch) of the registry's ledger: a ledger restored
from a backup may say other things at the same positions, so that its next life is another build.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateIndex, CreateTable
from xiapai_contracts.registry import TOPICS

from chassis.problems import Unavailable
from ledger.database import driver, moment
from ledger.migrate import SchemaNewer
from ledger.migrate import check as _check
from ledger.migrate import migrate as _migrate
from ledger.watermark import await_lives
from services.projection.cadres import CADRES_VERSION
from services.projection.events import EVENTS_VERSION
from services.projection.persons import PERSONS_VERSION
from services.projection.postings import POSTINGS_VERSION
from services.projection.tables import metadata
from services.projection.units import UNITS_VERSION

MIGRATIONS = (Path(__file__).parent / "migrations", "projection_schema")
VERSION = UNITS_VERSION + PERSONS_VERSION + CADRES_VERSION + POSTINGS_VERSION + EVENTS_VERSION
"""What the tables of this program hold. Each summand only ever rises: where the live build's is lower, a new one is
built; where it is higher, this program is the older one and does not start."""

INDEXES = sorted((one for table in metadata.tables.values() for one in table.indexes), key=lambda one: str(one.name))

GRACE = timedelta(seconds=60)
"""How long a retired build is kept, for the reads that began before the switch."""

State = Literal["building", "filling", "live", "retired"]

_COLUMNS = "id, version, state, epoch, former, successor"


@dataclass(frozen=True, slots=True)
class Build:
    """``state``: being built by the workers, filled by a command, live, or retired. ``epoch`` is the life of the ledger
    that it tells, None before the first event; ``former`` are those before; ``successor`` the next one, once seen."""

    id: int
    version: int
    state: State
    epoch: str | None = None
    former: tuple[str, ...] = ()
    successor: str | None = None

    @property
    def schema(self) -> str:
        return f"rm_{self.id}"

    @property
    def handler(self) -> str:
        return f"projection-{self.id}"


async def migrate(engine: AsyncEngine) -> None:
    """Bring the projection's database to the form that this program knows. Raises ``SchemaMismatch``."""
    await _migrate(engine)
    await _migrate(engine, *MIGRATIONS)


async def check(engine: AsyncEngine) -> None:
    """Refuse a database of another form. Raises ``SchemaMismatch``."""
    await _check(engine)
    await _check(engine, *MIGRATIONS)


async def builds(connection: AsyncConnection) -> list[Build]:
    """All builds that are not dropped, the oldest first."""
    rows = await connection.execute(text(f"SELECT {_COLUMNS} FROM public.builds ORDER BY id"))
    return [_build(row) for row in rows]


def _build(row: Any) -> Build:
    number, version, state, epoch, former, successor, *_ = row
    return Build(number, version, state, epoch, tuple(former), successor)


async def live(connection: AsyncConnection) -> Build | None:
    """The build that answers questions."""
    return next((build for build in await builds(connection) if build.state == "live"), None)


# Plans are kept: to plan a page of the roster anew took longer than to read it (1.5 ms of 3.3).
_READABLE = f"""
SELECT {_COLUMNS}, set_config('search_path', 'rm_' || id || ', public', true),
       set_config('plan_cache_mode', 'force_generic_plan', true)
  FROM (SELECT * FROM public.builds WHERE version = {VERSION} AND state IN ('live', 'retired')
         ORDER BY state = 'live' DESC, id DESC LIMIT 1) b"""


async def readable(connection: AsyncConnection) -> Build | None:
    """The build that this program answers from: the live one; where a newer program has switched already, the one before
    while it is kept, so that reads go on until this process is replaced. The rest of the transaction means its tables."""
    row = await (await driver(connection)).fetchrow(_READABLE)
    return None if row is None else _build(row)


async def refuse_newer(engine: AsyncEngine) -> None:
    """Raises ``SchemaNewer`` where the live read models are a newer program's."""
    async with engine.connect() as connection:
        current = await live(connection)
    if current is not None and current.version > VERSION:
        raise SchemaNewer(
            f"读模型为第 {current.version} 版,比本程序所知的第 {VERSION} 版更新:请启动较新的程序。"
            f"The read models are of version {current.version}, newer than this program knows ({VERSION}): start the newer program."
        )


async def lock(connection: AsyncConnection) -> None:
    """One at a time may begin, switch or drop builds; held until the transaction ends."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('xiapai.builds'))"))


async def begin(
    connection: AsyncConnection,
    state: State = "building",
    *,
    version: int = VERSION,
    epoch: str | None = None,
    former: Sequence[str] = (),
) -> Build:
    """A new build with empty tables, of the ledger's life ``epoch`` where that is known; where the workers are at such a one
    already, that one. One that a command fills gets its indexes by :func:`index`, when it is full."""
    await lock(connection)
    for build in await builds(connection):
        if state == build.state == "building" and build.version == version and epoch in (None, build.epoch):
            return build
    statement = text(
        "INSERT INTO public.builds (version, state, epoch, former) VALUES (:version, :state, :epoch, :former) RETURNING id"
    )
    values = {"version": version, "state": state, "epoch": epoch, "former": list(former)}
    number = (await connection.execute(statement, values)).scalar_one()
    build = Build(number, version, state, epoch, tuple(former))
    await connection.execute(text(f"CREATE SCHEMA {build.schema}"))
    await use(connection, build)
    await connection.run_sync(_create)
    if state != "filling":
        for one in INDEXES:
            await connection.execute(CreateIndex(one))
    if epoch is not None:
        # The topics hold earlier lives too, and of those that were over before a restore nobody knows the names.
        await await_lives(connection, build.handler, TOPICS, {topic.owner: epoch for topic in TOPICS})
    return build


def _create(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table))


async def index(engine: AsyncEngine, build: Build) -> None:
    """Give a filled build the indexes that only questions need; without them it is filled faster. Each in a transaction
    of its own: the build's reader goes on writing, and with two tables locked we and it could wait for each other."""
    for one in INDEXES:
        async with engine.begin() as connection:
            await use(connection, build)
            await connection.execute(CreateIndex(one))


async def switch(connection: AsyncConnection, build: Build) -> None:
    """Make the build live, in the caller's transaction; the one before is retired."""
    await lock(connection)
    # tables just filled have no statistics yet, and without them the first questions are planned badly
    await connection.execute(text("ANALYZE " + ", ".join(f"{build.schema}.{name}" for name in metadata.tables)))
    await connection.execute(
        text("UPDATE public.builds SET state = 'retired', retired_at = now() WHERE state = 'live' AND id <> :id"),
        {"id": build.id},
    )
    await connection.execute(
        text("UPDATE public.builds SET state = 'live', live_at = now() WHERE id = :id AND state <> 'live'"),
        {"id": build.id},
    )


async def drop(connection: AsyncConnection, build: Build) -> None:
    """Drop a build with its tables, its watermarks and its dead letters."""
    await lock(connection)
    # the watermarks first: a reader takes them before its tables, and so it and we never wait for each other
    for table in ("watermarks", "dead_letters"):
        statement = text(f"DELETE FROM public.{table} WHERE handler = :handler")
        await connection.execute(statement, {"handler": build.handler})
    await connection.execute(text("DELETE FROM public.builds WHERE id = :id"), {"id": build.id})
    await connection.execute(text(f"DROP SCHEMA IF EXISTS {build.schema} CASCADE"))


async def tidy(connection: AsyncConnection) -> None:
    """Drop the watermarks that a worker wrote after its build was dropped. Before any reader of this process begins."""
    for table in ("watermarks", "dead_letters"):
        await connection.execute(
            text(f"""DELETE FROM public.{table} t WHERE t.handler LIKE 'projection-%'
                AND NOT EXISTS (SELECT FROM public.builds b WHERE 'projection-' || b.id = t.handler)""")
        )


async def sweep(connection: AsyncConnection, grace: timedelta = GRACE) -> list[Build]:
    """Drop the builds that were retired longer ago than ``grace``, and the unfinished ones of older programs."""
    await lock(connection)
    old = await connection.execute(
        text("SELECT id FROM public.builds WHERE state = 'retired' AND retired_at <= now() - CAST(:grace AS interval)"),
        {"grace": grace},
    )
    numbers = set(old.scalars())
    gone = [b for b in await builds(connection) if b.id in numbers or (b.state == "building" and b.version < VERSION)]
    for build in gone:
        await drop(connection, build)
    return gone


async def use(connection: AsyncConnection, build: Build) -> None:
    """Let the rest of the transaction mean this build's tables."""
    await connection.execute(text(f"SET LOCAL search_path = {build.schema}, public"))


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[tuple[AsyncConnection, Build]]:
    """A read-only transaction that sees one moment of the build to read. Raises Unavailable (503) where there is none yet
    that this program can read."""
    async with moment(engine) as connection:
        build = await readable(connection)
        if build is None:
            raise Unavailable("read-models-not-built", headers={"Retry-After": "2"})
        yield connection, build
