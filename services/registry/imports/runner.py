"""The runner that works through imports, one after another, in the registry's worker."""

import asyncio
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.append import Unavailable, VersionConflict
from ledger.command import Desk
from ledger.reader import head
from ledger.tracing import continue_trace, current_traceparent
from ledger.trouble import is_trouble
from services.registry.commands.context import Context
from services.registry.imports import jobs, retention
from services.registry.imports.recorders import Recorder, Recording, Rehearsal
from services.registry.imports.staging import stage
from services.registry.imports.taking import Taking
from services.registry.texts import TEXTS
from services.registry.workbook import Workbook, WorkbookRefused, open_workbook

POLL_SECONDS = 0.5
SWEEP_SECONDS = 3600.0
MOST_ATTEMPTS = 10
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImportRunner:
    """Takes jobs as they come. Several may run, in several processes: a job is held by one."""

    engine: AsyncEngine
    desk: Desk
    context: Context
    retention_days: int

    async def run(self) -> None:
        """Work until cancelled."""
        swept = -SWEEP_SECONDS
        while True:
            try:
                if monotonic() - swept >= SWEEP_SECONDS:
                    await asyncio.to_thread(retention.sweep_scratch)
                    async with self.engine.begin() as connection:
                        await retention.sweep(connection, self.retention_days)
                    swept = monotonic()
                if not await self.one():
                    await asyncio.sleep(POLL_SECONDS)
            except Exception as error:
                if not (is_trouble(error) or isinstance(error, Unavailable | VersionConflict)):
                    raise
                log.warning("the import waits for its database: %s", type(error).__name__)
                await asyncio.sleep(POLL_SECONDS)

    async def one(self) -> bool:
        """Work on the oldest job; whether there was one."""
        async with jobs.taken(self.engine) as job:
            if job is None:
                return False
            async with self.engine.begin() as connection:
                attempt = await jobs.begin(connection, job.id)
            if attempt > MOST_ATTEMPTS:
                await self._fail(job, "import-given-up")
                return True
            try:
                # Rows by the ten thousand would drown their trace: it goes along with their events, and shows none of them.
                with continue_trace(job.trace, "import"), continue_trace(current_traceparent(), spans=False):
                    await self._work(job)
            except WorkbookRefused as refusal:
                await self._end(job, "failed", {"code": refusal.code, "zh": refusal.zh, "en": refusal.en})
            return True

    async def _work(self, job: jobs.Job) -> None:
        fresh = job.state != "recording" or job.dry_run
        if fresh and not await self._stage(job):
            await self._fail(job, jobs.UPLOAD_GONE)
            return
        recorder: Recorder = (
            Rehearsal(self.desk, self.context.keyring) if job.dry_run else Recording(self.desk, job.by, job.at)
        )
        taking = Taking(self.engine, self.desk, self.context, recorder, job)
        if not fresh:
            await taking.recover()
        await taking.all()
        await self._end(job, "done")

    async def _stage(self, job: jobs.Job) -> bool:
        async with self.engine.begin() as connection:
            await retention.sweep(connection, self.retention_days)
            content = await jobs.upload(connection, job.id)
        if content is None:
            return False
        with tempfile.TemporaryDirectory(prefix="xiapai-import-") as folder:
            path = Path(folder) / "upload.xlsx"
            await asyncio.to_thread(path.write_bytes, content)
            del content
            workbook = await asyncio.to_thread(open_workbook, path)
            with workbook:
                await self._read(job, workbook)
        return True

    async def _read(self, job: jobs.Job, workbook: Workbook) -> None:
        key = self.context.keyring.kek.blind("cells", "").encode("ascii")
        further = {summary.sheet: list(summary.further) for summary in workbook.summaries() if summary.further}
        async with self.engine.begin() as connection:
            await jobs.describe(connection, job.id, further, await head(connection))
        async with self.engine.connect() as connection:
            await stage(connection, job.id, workbook, key)

    async def _fail(self, job: jobs.Job, code: str) -> None:
        zh, en = TEXTS[code]
        await self._end(job, "failed", {"code": code, "zh": zh, "en": en})

    async def _end(self, job: jobs.Job, state: str, refusal: dict[str, str] | None = None) -> None:
        async with self.engine.begin() as connection:
            if state == "done" and not job.dry_run:
                await jobs.advance(connection, job.id, await head(connection), 0)
            await jobs.finish(connection, job.id, state, refusal)
