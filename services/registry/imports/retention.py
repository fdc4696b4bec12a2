"""How long an uploaded workbook is kept: names stand in it in clear. Counted in real time, also where the ledger's clock is
simulated, since real people's files do not wait for a demonstration."""

import shutil
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.registry.imports.jobs import GONE

SCRATCH = ("xiapai-import-*", "xiapai-upload-*", "xiapai-back-*")
SCRATCH_SECONDS = 86_400.0
"""What a killed process left in its temporary folder; nothing works on one file for a day."""

_DUE = """
(u.received_at < now() - make_interval(days => :days)
 OR i.state IN ('done', 'failed') AND u.received_at < (SELECT max(changed_at) FROM keyring WHERE wrapped IS NULL))
"""
_LOOK = text(f"""
SELECT count(*) AS files, coalesce(sum(length(u.content)), 0) AS size, min(u.received_at) AS oldest,
       count(*) FILTER (WHERE {_DUE}) AS due
  FROM import_uploads u JOIN imports i ON i.id = u.job
""")
# Not one that a runner is at: it holds the row.
_FILES = text(f"""
DELETE FROM import_uploads WHERE job IN (
  SELECT u.job FROM import_uploads u JOIN imports i ON i.id = u.job WHERE {_DUE} FOR UPDATE OF u SKIP LOCKED)
""")
_LEFT = text("""
WITH gone AS (
  UPDATE imports SET state = 'failed', phase = '', refusal = CAST(:refusal AS jsonb), finished_at = now()
   WHERE state IN ('waiting', 'reading', 'recording') AND NOT EXISTS (SELECT FROM import_uploads WHERE job = imports.id)
  RETURNING id)
DELETE FROM import_rows WHERE job IN (SELECT id FROM gone)
""")
# What the rows of erased persons said: of the sheets 干部 and 履历, whose keys begin with the person's number.
_SAID = text("""
DELETE FROM import_baseline WHERE sheet IN (1, 2) AND split_part(key, chr(31), 1) IN
  (SELECT substr(stream, length('person-') + 1) FROM keyring WHERE wrapped IS NULL)
""")


@dataclass(frozen=True, slots=True)
class Uploads:
    """The files that are kept, their bytes, when the oldest came, and how many are due to go."""

    files: int
    size: int
    oldest: datetime | None
    due: int


async def look(connection: AsyncConnection, days: int) -> Uploads:
    """What is kept. Due is what is older than ``days``, and what is from before an erasure, in which the erased person
    may stand."""
    row = (await connection.execute(_LOOK, {"days": days})).one()
    return Uploads(row.files, int(row.size), row.oldest, row.due)


async def sweep(connection: AsyncConnection, days: int) -> int:
    """Let go of what is due; how many files. An import that never came to its end ends here."""
    gone = await connection.execute(_FILES, {"days": days})
    await connection.execute(_LEFT, {"refusal": GONE})
    await connection.execute(_SAID)
    return gone.rowcount


def sweep_scratch() -> int:
    """Remove what killed processes left of workbooks in the temporary folder; how many."""
    gone = 0
    for pattern in SCRATCH:
        for folder in Path(tempfile.gettempdir()).glob(pattern):
            try:
                if time.time() - folder.stat().st_mtime > SCRATCH_SECONDS:
                    shutil.rmtree(folder)
                    gone += 1
            except OSError:  # another account's, or gone already
                continue
    return gone
