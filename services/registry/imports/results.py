"""The workbook back, with what became of each row beside it."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.registry.imports import jobs
from services.registry.workbook import SHEETS
from services.registry.workbook.backcopy import Result, write_back
from services.registry.workbook.columns import Outcome


async def back_copy(connection: AsyncConnection, job: UUID, folder: Path) -> Path | None:
    """Writes it into ``folder`` and says where; None once the upload's retention is over.

    The results are held as tuples on the way, about 10 MB for 100,000 rows.
    """
    content = await jobs.upload(connection, job)
    if content is None:
        return None
    original, out = folder / "upload.xlsx", folder / "back.xlsx"
    await asyncio.to_thread(original.write_bytes, content)
    del content
    found = await connection.execute(
        text("SELECT sheet, number, outcome, reason FROM import_results WHERE job = :job ORDER BY sheet, number"),
        {"job": job},
    )
    outcomes = {outcome.name: outcome for outcome in Outcome}
    by_sheet: dict[str, list[tuple[int, Outcome, str]]] = {sheet.name: [] for sheet in SHEETS}
    for sheet, number, outcome, reason in found:
        by_sheet[SHEETS[sheet].name].append((number, outcomes[outcome], reason))

    def results(sheet: str) -> Iterable[Result]:
        return (Result(number, outcome, reason) for number, outcome, reason in by_sheet[sheet])

    await asyncio.to_thread(write_back, original, out, results)
    return out
