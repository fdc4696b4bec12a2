"""From the file to rows in the database, so that a job killed on the way goes on with what stands there."""

import asyncio
import hashlib
from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.database import driver
from ledger.ending import all_of
from services.registry.imports import jobs
from services.registry.imports.reasons import of_faults, of_refusal
from services.registry.workbook import SHEETS, CadreRow, EarlierPostRow, PostingRow, Record, UnitRow, Workbook
from services.registry.workbook.reader import Row

BATCH = 2000
CELL_BYTES = 6
"""Of a cell's fingerprint: with 48 bits, a change of one cell is overlooked once in 3e14."""

_SHEET_NUMBERS = {sheet.name: number for number, sheet in enumerate(SHEETS)}
_FIELDS = tuple(tuple(column.field for column in sheet.columns) for sheet in SHEETS)
_ROW_COLUMNS = ("job", "sheet", "number", "key", "owner", "starts", "digest", "cells", "record")
_RESULT_COLUMNS = ("job", "sheet", "number", "outcome", "reason")

_Portion = tuple[list[Any], list[Any]]
"""Rows, and results of those that are refused."""


def fingerprints(record: Record, sheet: int, key: bytes) -> bytes:
    """One keyed fingerprint for each cell of a row, side by side: what changed is seen, what stood there is not."""
    said, keyed = bytearray(), hashlib.blake2b(key=key, digest_size=CELL_BYTES)
    for field in _FIELDS[sheet]:
        value, cell = getattr(record, field), keyed.copy()
        if value is not None:
            cell.update(str(value).encode())
        said += cell.digest()
    return bytes(said)


def changed_fields(sheet: int, before: bytes | None, after: bytes) -> frozenset[str]:
    """The fields whose cells differ from the last workbook's; all of them where the row is new."""
    fields = _FIELDS[sheet]
    if before is None or len(before) != len(after):
        return frozenset(fields)
    return frozenset(
        field
        for n, field in enumerate(fields)
        if before[n * CELL_BYTES : (n + 1) * CELL_BYTES] != after[n * CELL_BYTES : (n + 1) * CELL_BYTES]
    )


async def stage(connection: AsyncConnection, job: UUID, workbook: Workbook, key: bytes) -> None:
    """Read every row. One transaction for each portion; what an interrupted reading left is dropped first."""
    async with connection.begin():
        for table in ("import_rows", "import_results"):
            await connection.execute(text(f"DELETE FROM {table} WHERE job = :job"), {"job": job})
    portions = _portions(workbook, job, key)
    read, portion = 0, await asyncio.to_thread(next, portions, None)
    while portion is not None:
        # A thread reads the next portion while the database takes this one.
        read += len(portion[0])
        _, portion = await all_of((_keep(connection, job, portion, read), asyncio.to_thread(next, portions, None)))
    async with connection.begin():
        await _refuse_twice(connection, job)
        refused = await connection.scalar(text("SELECT count(*) FROM import_results WHERE job = :job"), {"job": job})
        await jobs.enter(connection, job, "recording", "recording", rows_total=read, rows_done=refused)


async def _keep(connection: AsyncConnection, job: UUID, portion: _Portion, read: int) -> None:
    rows, results = portion
    raw = await driver(connection)
    async with connection.begin():
        await connection.execute(text("SELECT 1"))
        await raw.copy_records_to_table("import_rows", records=rows, columns=_ROW_COLUMNS)
        await raw.copy_records_to_table("import_results", records=results, columns=_RESULT_COLUMNS)
        await jobs.enter(connection, job, "reading", "reading", rows_done=read)


def _portions(workbook: Workbook, job: UUID, key: bytes) -> Iterator[_Portion]:
    rows = workbook.rows()
    while portion := list(islice(rows, BATCH)):
        staged = [_staged(row, job, key) for row in portion]
        refused = [
            (job, _SHEET_NUMBERS[row.sheet], row.number, "REFUSED", of_faults(row.faults))
            for row in portion
            if row.record is None
        ]
        yield staged, refused


def _staged(row: Row, job: UUID, key: bytes) -> tuple[Any, ...]:
    sheet = _SHEET_NUMBERS[row.sheet]
    record = row.record
    if record is None:
        return (job, sheet, row.number, row.key, None, None, None, None, None)
    owner, starts = _order(record)
    cells = fingerprints(record, sheet, key)
    return (job, sheet, row.number, row.key, owner, starts, row.digest, cells, msgspec.msgpack.encode(record))


def _order(record: Record) -> tuple[str | None, Any]:
    """What the row belongs to, and its first day: the order in which rows are taken within a sheet."""
    match record:
        case UnitRow(parent=parent):
            return parent, None
        case CadreRow(code=code):
            return code, None
        case EarlierPostRow(person=person, starts=starts) | PostingRow(person=person, starts=starts):
            return person, starts


async def _refuse_twice(connection: AsyncConnection, job: UUID) -> None:
    """Rows of one key and different content: none can be told to be the right one."""
    found = await connection.execute(
        text(
            "SELECT sheet, number, CASE WHEN number = first THEN last ELSE first END AS other FROM ("
            " SELECT sheet, number, min(number) OVER same AS first, max(number) OVER same AS last, count(*) OVER same AS n,"
            "  count(digest) OVER same AS read, min(encode(digest, 'hex')) OVER same AS least,"
            "  max(encode(digest, 'hex')) OVER same AS most, record IS NOT NULL AS whole"
            " FROM import_rows WHERE job = :job AND key IS NOT NULL WINDOW same AS (PARTITION BY sheet, key)"
            ") AS r WHERE n > 1 AND whole AND (read < n OR least <> most)"
        ),
        {"job": job},
    )
    refused = [(sheet, number, of_refusal("row-twice", {"row": other})) for sheet, number, other in found]
    await connection.execute(
        text(
            "INSERT INTO import_results SELECT :job, sheet, number, 'REFUSED', reason"
            " FROM unnest(CAST(:sheets AS smallint[]), CAST(:numbers AS integer[]), CAST(:reasons AS text[]))"
            " AS t(sheet, number, reason) ON CONFLICT DO NOTHING"
        ),
        {
            "job": job,
            "sheets": [sheet for sheet, _, _ in refused],
            "numbers": [number for _, number, _ in refused],
            "reasons": [reason for _, _, reason in refused],
        },
    )
