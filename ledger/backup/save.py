"""Save a database's part of a backup: out of one snapshot, while others go on writing."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.backup.folder import Checkpoint, File, Packed, Report
from ledger.database import moment
from ledger.migrate import LEDGER_TABLE
from ledger.reader import head
from ledger.relay.checkpoint import hash_at
from ledger.schema import meta

PORTION = 1000


@dataclass(frozen=True, slots=True)
class Saved:
    """A table that no event brings back, and the query that gives its rows as they are to stand after a restore."""

    table: str
    query: str


EVENTS = Saved("ledger", "SELECT * FROM ledger ORDER BY position")
TABLES = (EVENTS, Saved("requests", "SELECT * FROM requests"), Saved("claims", "SELECT * FROM claims"))
ERASED = Saved("erased", "SELECT stream, change, changed_at FROM keyring WHERE wrapped IS NULL")
"""Which keys are destroyed: no secret, and so kept as long as the ledger. The keys themselves lie apart."""
KEYS = Saved("keyring", "SELECT * FROM keyring")


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """The database as it is now, to be read only.

    Positions are given under a lock that is held until the commit, so a snapshot holds all events up to its head.
    """
    async with moment(engine) as connection:
        await connection.execute(text("SELECT 1"))  # the first statement takes the snapshot
        yield connection


async def checkpoint(connection: AsyncConnection, service: str, version_tables: Sequence[str] = ()) -> Checkpoint:
    """Where the ledger stands in this snapshot."""
    position = await head(connection)
    row = (await connection.execute(select(meta.c.epoch, meta.c.clock, meta.c.simulated_now, func.now()))).one()
    schemas = {
        table: str(await connection.scalar(text(f"SELECT version_num FROM {table}")))
        for table in (LEDGER_TABLE, *version_tables)
    }
    return Checkpoint(
        service=service,
        epoch=row.epoch,
        position=position,
        hash=(await hash_at(connection, position)).hex(),
        taken_at=row[3],
        clock=row.clock,
        simulated_now=row.simulated_now,
        schemas=schemas,
    )


async def save(
    connection: AsyncConnection, service: str, folder: Path, further: Sequence[Saved], report: Report = lambda _: None
) -> list[File]:
    """Write the ledger, its requests and claims, the destroyed keys, and what else the service keeps."""
    return [await _save(connection, service, one, folder, report) for one in (*TABLES, ERASED, *further)]


async def save_keys(connection: AsyncConnection, service: str, folder: Path) -> list[File]:
    """Write the wrapped keys, into a folder of their own."""
    return [await _save(connection, service, KEYS, folder, lambda _: None)]


async def _save(connection: AsyncConnection, service: str, what: Saved, folder: Path, report: Report) -> File:
    query = text(f"SELECT row_to_json(saved)::text FROM ({what.query}) AS saved")
    with Packed(folder, service, what.table) as packed:
        async with connection.stream(query, execution_options={"yield_per": PORTION}) as found:
            async for portion in found.scalars().partitions():
                packed.add(portion)
                report(len(portion))
    return packed.file()
