"""The rows of a job as they stand in the database: those to be taken, and what became of the others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.registry.imports.staging import changed_fields
from services.registry.workbook import SHEETS, Record
from services.registry.workbook.columns import Outcome

UNITS, CADRES, EARLIER_POSTS, POSTINGS = range(len(SHEETS))


@dataclass(frozen=True, slots=True, repr=False)
class StagedRow:
    """A row to be taken. ``before`` holds the fingerprints that it had in the last workbook that was taken."""

    sheet: int
    number: int
    key: str
    owner: str | None
    record: Record
    cells: bytes
    before: bytes | None

    @property
    def changed(self) -> frozenset[str]:
        """The fields whose cells changed since."""
        return changed_fields(self.sheet, self.before, self.cells)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a row."""

    row: StagedRow
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that has no result yet, for finding its turn."""

    number: int
    key: str
    owner: str | None


# No query here joins two tables: a job fills them faster than statistics follow, and a plan made for an empty table
# compares every row of one with every row of the other.


async def waiting(connection: AsyncConnection, job: UUID, sheet: int) -> list[Waiting]:
    """The rows of a sheet without a result, in order of owner, first day and key."""
    of = {"job": job, "sheet": sheet}
    done = set(
        await connection.scalars(text("SELECT number FROM import_results WHERE job = :job AND sheet = :sheet"), of)
    )
    found = await connection.execute(
        text(
            "SELECT number, key, owner FROM import_rows WHERE job = :job AND sheet = :sheet"
            " ORDER BY owner, starts, key, number"
        ),
        of,
    )
    return [Waiting(*row) for row in found if row.number not in done]


async def fetch(connection: AsyncConnection, job: UUID, sheet: int, numbers: Sequence[int]) -> list[StagedRow]:
    """These rows, in the order of ``numbers``."""
    found = await connection.execute(
        text(
            "SELECT number, key, owner, record, cells FROM import_rows"
            " WHERE job = :job AND sheet = :sheet AND number = ANY(CAST(:numbers AS integer[]))"
        ),
        {"job": job, "sheet": sheet, "numbers": list(numbers)},
    )
    staged = {row.number: row for row in found}
    said = await connection.execute(
        text("SELECT key, cells FROM import_baseline WHERE sheet = :sheet AND key = ANY(CAST(:keys AS text[]))"),
        {"sheet": sheet, "keys": [row.key for row in staged.values()]},
    )
    before = {row.key: row.cells for row in said}
    decode = msgspec.msgpack.Decoder(SHEETS[sheet].record).decode
    return [
        StagedRow(sheet, row.number, row.key, row.owner, decode(row.record), row.cells, before.get(row.key))
        for row in map(staged.__getitem__, numbers)
    ]


async def refused(connection: AsyncConnection, job: UUID) -> dict[tuple[int, str], int]:
    """The units and persons whose own rows were refused: sheet and key, with the row's number."""
    by_key: dict[tuple[int, str], int] = {}
    for sheet in (UNITS, CADRES):
        of = {"job": job, "sheet": sheet}
        numbers = await connection.scalars(
            text("SELECT number FROM import_results WHERE job = :job AND sheet = :sheet AND outcome = 'REFUSED'"),
            of,
        )
        found = await connection.execute(
            text(
                "SELECT key, number FROM import_rows WHERE job = :job AND sheet = :sheet"
                " AND number = ANY(CAST(:numbers AS integer[])) AND key IS NOT NULL"
            ),
            of | {"numbers": numbers.all()},
        )
        by_key.update({(sheet, row.key): row.number for row in found})
    return by_key


async def save(connection: AsyncConnection, job: UUID, results: Iterable[Result], *, dry_run: bool) -> None:
    """Keep the results, and what each row that was taken says now."""
    results = list(results)
    await connection.execute(
        text(
            "INSERT INTO import_results SELECT :job, sheet, number, outcome, reason"
            " FROM unnest(CAST(:sheets AS smallint[]), CAST(:numbers AS integer[]), CAST(:outcomes AS text[]),"
            " CAST(:reasons AS text[])) AS t(sheet, number, outcome, reason)"
        ),
        {
            "job": job,
            "sheets": [result.row.sheet for result in results],
            "numbers": [result.row.number for result in results],
            "outcomes": [result.outcome.name for result in results],
            "reasons": [result.reason for result in results],
        },
    )
    said = {
        (result.row.sheet, result.row.key): result.row.cells
        for result in results
        if result.outcome is not Outcome.REFUSED and result.row.cells != result.row.before
    }
    if said and not dry_run:
        await connection.execute(
            text(
                "INSERT INTO import_baseline SELECT * FROM unnest("
                " CAST(:sheets AS smallint[]), CAST(:keys AS text[]), CAST(:cells AS bytea[]))"
                " ON CONFLICT (sheet, key) DO UPDATE SET cells = excluded.cells"
            ),
            {
                "sheets": [sheet for sheet, _ in said],
                "keys": [key for _, key in said],
                "cells": list(said.values()),
            },
        )
