"""Load a database's part of a backup into an empty database, where its ledger begins a new life."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.backup.check import verified
from ledger.backup.folder import BackupRefused, Manifest, Report, lines, portions
from ledger.backup.save import ERASED, EVENTS, KEYS
from ledger.schema import meta

_USED = text(
    "SELECT EXISTS (SELECT FROM ledger) OR EXISTS (SELECT FROM keyring) OR EXISTS (SELECT FROM requests)"
    ' OR EXISTS (SELECT FROM watermarks WHERE "offset" >= 0)'
)
_THERE = text("SELECT to_regclass('ledger') IS NOT NULL")
_SESSIONS = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name LIKE 'xiapai%' AND pid <> pg_backend_pid()"
)


async def occupied(connection: AsyncConnection) -> tuple[str, str] | None:
    """Why nothing may be loaded into this database, in Chinese and in English; None where it is free."""
    if await connection.scalar(_SESSIONS):
        return "仍有进程连接", "has processes connected to it"
    if await connection.scalar(_THERE) and await connection.scalar(_USED):
        return "不是空的", "is not empty"
    return None


async def load(
    connection: AsyncConnection,
    service: str,
    folder: Path,
    manifest: Manifest,
    epoch: str,
    report: Report = lambda _: None,
) -> None:
    """Load all tables of a service but its keys, both chains verified on the way; its ledger's new life is ``epoch``.
    The tables have to be those of the manifest's revisions. In the caller's transaction.

    Raises:
        BackupRefused: a chain does not hold.
    """
    signed = manifest.of(service)
    for file in manifest.files:
        if file.service != service or file.table == ERASED.table:
            continue
        rows = lines(folder, file)
        await _fill(connection, file.table, verified(rows, signed) if file.table == EVENTS.table else rows, report)
    await connection.execute(update(meta).values(epoch=epoch, clock=signed.clock, simulated_now=signed.simulated_now))


async def load_keys(connection: AsyncConnection, service: str, folder: Path, manifest: Manifest) -> None:
    """Load the wrapped keys, in the caller's transaction."""
    for file in manifest.files:
        if (file.service, file.table) == (service, KEYS.table):
            await _fill(connection, file.table, lines(folder, file), lambda _: None)


def erased(folder: Path, manifest: Manifest, service: str) -> set[str]:
    """The streams whose keys this backup says are destroyed."""
    return {
        msgspec.json.decode(line)["stream"]
        for file in manifest.files
        if (file.service, file.table) == (service, ERASED.table)
        for line in lines(folder, file)
    }


async def destroy(connection: AsyncConnection, streams: Iterable[str]) -> set[str]:
    """Destroy the keys of these streams. Of all whose key is destroyed now, those that the ledger knows."""
    values = {"streams": sorted(streams)}
    await connection.execute(
        text(
            "UPDATE keyring SET wrapped = NULL, changed_at = clock_timestamp()"
            " WHERE stream = ANY(CAST(:streams AS text[])) AND wrapped IS NOT NULL"
        ),
        values,
    )
    found = await connection.execute(
        text(
            "SELECT stream FROM ledger WHERE version = 1 AND (stream = ANY(CAST(:streams AS text[]))"
            " OR stream IN (SELECT stream FROM keyring WHERE wrapped IS NULL))"
        ),
        values,
    )
    return set(found.scalars())


async def _fill(connection: AsyncConnection, table: str, rows: Iterable[bytes], report: Report) -> None:
    columns = ""
    for portion in portions(rows):
        # Named: a column that came later keeps its default.
        columns = columns or ", ".join(f'"{name}"' for name in msgspec.json.decode(portion[0], type=dict))
        await connection.execute(
            text(
                f"INSERT INTO {table} ({columns})"
                f" SELECT {columns} FROM json_populate_recordset(NULL::{table}, CAST(:rows AS json))"
            ),
            {"rows": (b"[" + b",".join(portion) + b"]").decode()},
        )
        report(len(portion))


def known(service: str, revisions: dict[str, str], of_program: dict[str, set[str]]) -> None:
    """Raises BackupRefused where the backup's tables are newer than this program's."""
    for table, revision in revisions.items():
        if revision not in of_program.get(table, set()):
            raise BackupRefused(
                f"备份中 {service} 的 {table} 为 {revision},比本程序更新:请用较新的程序恢复。"
                f"The backup's {table} of {service} is at {revision}, newer than this program knows: restore it with the newer one."
            )
