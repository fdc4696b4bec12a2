"""The import's jobs in the database: taken in, worked on by one runner at a time, looked at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis.measures import Measure, query
from ledger.backup.save import Saved
from services.registry.texts import TEXTS
from services.registry.workbook import SHEETS
from services.registry.workbook.columns import Outcome

MIGRATIONS = Path(__file__).parent.parent / "migrations"
VERSION_TABLE = "registry_schema"
UPLOAD_GONE = "import-upload-gone"
UNDER_WAY = Measure(
    "xiapai_imports_in_progress",
    "imports of workbooks that have not ended",
    query("SELECT count(*) FROM imports WHERE state IN ('waiting', 'reading', 'recording')"),
)

GONE = msgspec.json.encode({"code": UPLOAD_GONE, "zh": TEXTS[UPLOAD_GONE][0], "en": TEXTS[UPLOAD_GONE][1]}).decode()
SAVED = (
    Saved("import_baseline", "SELECT * FROM import_baseline"),
    # Uploads are not saved, for they hold names in clear: what was under way has to be submitted again.
    Saved(
        "imports",
        "SELECT id, by, key, digest, name, at, trace, dry_run, phase, rows_done, rows_total, counts, further, position,"
        " attempts, submitted_at, coalesce(finished_at, now()) AS finished_at,"
        " CASE WHEN finished_at IS NULL THEN 'failed' ELSE state END AS state,"
        f" CASE WHEN finished_at IS NULL THEN CAST('{GONE}' AS jsonb) ELSE refusal END AS refusal FROM imports",
    ),
)
"""What a backup keeps. A row that was seen before is not taken again, and an upload's key gets its first job."""

Counts = dict[str, dict[str, int]]
"""Sheet -> outcome (已导入 ...) -> rows."""


@dataclass(frozen=True, slots=True)
class Job:
    """An import as it stands. ``position`` is the ledger's position that holds all of it, once done."""

    id: UUID
    by: str
    name: str
    at: datetime
    trace: str
    dry_run: bool
    state: str
    phase: str
    rows_done: int
    rows_total: int | None
    counts: Counts
    further: dict[str, list[str]]
    refusal: dict[str, str] | None
    position: int
    attempts: int
    submitted_at: datetime
    finished_at: datetime | None

    @property
    def source(self) -> str:
        """What a correction names as its source."""
        return self.name

    @property
    def finished(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in ("done", "failed")


_COLUMNS = ", ".join(Job.__dataclass_fields__)


class KeyReusedForAnotherFile(Exception):
    """The idempotency key came before, with another file."""


def _job(row: Any) -> Job:
    return Job(*row)


async def submit(
    connection: AsyncConnection,
    *,
    id: UUID,
    by: str,
    key: str,
    digest: bytes,
    name: str,
    at: datetime,
    trace: str,
    dry_run: bool,
    content: bytes,
) -> Job:
    """Take an upload in; the same request again gives the job that it made the first time.

    Raises:
        KeyReusedForAnotherFile: the key came before, with another file.
    """
    made = await connection.execute(
        text(
            "INSERT INTO imports (id, by, key, digest, name, at, trace, dry_run, state)"
            " VALUES (:id, :by, :key, :digest, :name, :at, :trace, :dry_run, 'waiting')"
            " ON CONFLICT (by, key) DO NOTHING RETURNING id"
        ),
        {
            "id": id,
            "by": by,
            "key": key,
            "digest": digest,
            "name": name,
            "at": at,
            "trace": trace,
            "dry_run": dry_run,
        },
    )
    if made.first() is not None:
        await connection.execute(
            text("INSERT INTO import_uploads (job, content) VALUES (:job, :content)"), {"job": id, "content": content}
        )
    found = await connection.execute(
        text(f"SELECT digest, {_COLUMNS} FROM imports WHERE by = :by AND key = :key"), {"by": by, "key": key}
    )
    stands, *job = found.one()
    if bytes(stands) != digest:
        raise KeyReusedForAnotherFile
    return _job(job)


async def look(connection: AsyncConnection, id: UUID) -> Job | None:
    """A job, or None."""
    found = await connection.execute(text(f"SELECT {_COLUMNS} FROM imports WHERE id = :id"), {"id": id})
    row = found.one_or_none()
    return None if row is None else _job(row)


async def newest(connection: AsyncConnection, limit: int = 50) -> list[Job]:
    """The jobs that were submitted last, newest first."""
    found = await connection.execute(
        text(f"SELECT {_COLUMNS} FROM imports ORDER BY submitted_at DESC, id LIMIT :limit"), {"limit": limit}
    )
    return [_job(row) for row in found]


async def upload(connection: AsyncConnection, id: UUID) -> bytes | None:
    """The file of a job, None once its retention is over."""
    found = await connection.scalar(text("SELECT content FROM import_uploads WHERE job = :id"), {"id": id})
    return None if found is None else bytes(found)


@asynccontextmanager
async def taken(engine: AsyncEngine) -> AsyncIterator[Job | None]:
    """The oldest unfinished job, held as long as the context is open; None where there is none.

    The hold is a row lock of a transaction that stays open: a runner that is killed lets go of it at once.
    """
    async with engine.connect() as connection, connection.begin():
        held = await connection.scalar(
            text(
                "SELECT u.job FROM import_uploads u JOIN imports i ON i.id = u.job"
                " WHERE i.state IN ('waiting', 'reading', 'recording')"
                " ORDER BY i.submitted_at, i.id LIMIT 1 FOR UPDATE OF u SKIP LOCKED"
            )
        )
        # Looked at anew: another runner may have finished it between our snapshot and our lock.
        job = None if held is None else await look(connection, held)
        yield None if job is None or job.finished else job


async def begin(connection: AsyncConnection, id: UUID) -> int:
    """Count an attempt; how many there were, this one included."""
    made = await connection.scalar(
        text("UPDATE imports SET attempts = attempts + 1 WHERE id = :id RETURNING attempts"), {"id": id}
    )
    return int(made or 0)


async def enter(connection: AsyncConnection, id: UUID, state: str, phase: str, **also: Any) -> None:
    """Say where a job is."""
    sets = "".join(f", {column} = :{column}" for column in also)
    await connection.execute(
        text(f"UPDATE imports SET state = :state, phase = :phase{sets} WHERE id = :id"),
        {"id": id, "state": state, "phase": phase, **also},
    )


async def describe(connection: AsyncConnection, id: UUID, further: dict[str, list[str]], position: int) -> None:
    """Note the columns that will be ignored, sheet by sheet, and how far the ledger reached before."""
    await connection.execute(
        text("UPDATE imports SET further = CAST(:further AS jsonb), position = :position WHERE id = :id"),
        {"id": id, "further": msgspec.json.encode(further).decode(), "position": position},
    )


async def advance(connection: AsyncConnection, id: UUID, position: int, results: int) -> None:
    """Count so many more results, and remember how far the ledger was written."""
    await connection.execute(
        text(
            "UPDATE imports SET position = greatest(position, :position), rows_done = rows_done + :results"
            " WHERE id = :id"
        ),
        {"id": id, "position": position, "results": results},
    )


async def finish(connection: AsyncConnection, id: UUID, state: str, refusal: dict[str, str] | None = None) -> None:
    """End a job: what its rows said is let go, their results stay."""
    counts: Counts = {}
    rows = await connection.execute(
        text("SELECT sheet, outcome, count(*) FROM import_results WHERE job = :id GROUP BY 1, 2 ORDER BY 1, 2"),
        {"id": id},
    )
    for sheet, outcome, count in rows:
        counts.setdefault(SHEETS[sheet].name, {})[Outcome[outcome].value] = count
    await connection.execute(
        text(
            "UPDATE imports SET state = :state, phase = '', counts = CAST(:counts AS jsonb),"
            " refusal = CAST(:refusal AS jsonb), finished_at = now() WHERE id = :id"
        ),
        {
            "id": id,
            "state": state,
            "counts": msgspec.json.encode(counts).decode(),
            "refusal": None if refusal is None else msgspec.json.encode(refusal).decode(),
        },
    )
    await connection.execute(text("DELETE FROM import_rows WHERE job = :id"), {"id": id})
