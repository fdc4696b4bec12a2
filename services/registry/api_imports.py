"""Imports over HTTP: a workbook in, a job to look at, the workbook back."""

import asyncio
import hashlib
import re
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile
from starlette.responses import FileResponse

from chassis.described import GONE
from chassis.problems import BadRequest, Conflict, Gone, NotFound, Unprocessable
from ledger.tracing import current_traceparent
from services.registry.access import OFFICE
from services.registry.answers import ImportNow, Imports
from services.registry.asking import Asking, Looking, Registry, asks, looks
from services.registry.imports import jobs
from services.registry.imports.jobs import Job
from services.registry.imports.results import back_copy
from services.registry.workbook import WorkbookRefused, open_workbook
from services.registry.workbook.template import write_template

router = APIRouter(prefix="/api/registry", tags=["registry: imports 导入"])
Office = Annotated[Looking, Depends(looks(OFFICE))]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_UNFIT = re.compile(r"[\x00-\x1f\x7f/\\]")


class Workbook(FileResponse):
    """A file of a spreadsheet."""

    media_type = XLSX


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            XLSX: {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
        },
    }
}


@router.post("/imports", status_code=202, response_model=ImportNow, openapi_extra=_BODY)
async def submit_import(
    request: Request,
    response: Response,
    asking: Annotated[Asking, Depends(asks(OFFICE))],
    dry_run: Annotated[bool, Query(description="decide all, record nothing")] = False,
    name: Annotated[str, Query(max_length=200, description="the file's name, where the body is the file itself")] = "",
) -> dict[str, Any]:
    """导入: take the district's workbook in. Its rows become commands in a job of their own; look at it until its
    ``state`` is ``done`` or ``failed``. The same Idempotency-Key and file give the same job."""
    with tempfile.TemporaryDirectory(prefix="xiapai-upload-") as folder:
        path = Path(folder) / "upload.xlsx"
        given = await _receive(request, path)
        try:
            (await asyncio.to_thread(open_workbook, path)).package.close()
        except WorkbookRefused as refusal:
            raise Unprocessable(refusal.code, what=refusal.what) from None
        content = await asyncio.to_thread(path.read_bytes)
    kek = asking.context.keyring.kek
    said = f"import {dry_run} {await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())}"
    job_name = _UNFIT.sub("_", name or given or "下派台账.xlsx")[:200]
    async with asking.registry.engine.begin() as connection:
        try:
            job = await jobs.submit(
                connection,
                id=uuid4(),
                by=asking.asked.who.subject,
                key=asking.asked.key,
                digest=kek.blind("request", said).encode("ascii"),
                name=job_name,
                at=asking.registry.clock.now(),
                trace=current_traceparent() or "",
                dry_run=dry_run,
                content=content,
            )
        except jobs.KeyReusedForAnotherFile:
            raise Unprocessable("idempotency-key-reused") from None
    response.headers["Location"] = f"/api/registry/imports/{job.id}"
    return _said(job)


@router.get("/imports", response_model=Imports)
async def list_imports(looking: Office) -> dict[str, Any]:
    """The 50 newest imports."""
    async with looking.registry.engine.connect() as connection:
        return {"items": [_said(job) for job in await jobs.newest(connection)]}


@router.get("/imports/template", response_class=Workbook)
async def import_template(looking: Office) -> Response:
    """The empty workbook to fill in."""
    folder = Path(tempfile.mkdtemp(prefix="xiapai-template-"))
    out = folder / "template.xlsx"
    await asyncio.to_thread(write_template, out)
    return _file(out, "下派台账.xlsx")


@router.get("/imports/{job}", response_model=ImportNow)
async def import_now(job: UUID, looking: Office) -> dict[str, Any]:
    """How far an import is, and once it is done what became of its rows."""
    return _said(await _job(looking.registry, job))


@router.get("/imports/{job}/back-copy", response_class=Workbook, responses=GONE)
async def import_back_copy(job: UUID, looking: Office) -> Response:
    """The workbook back, with 导入结果 and 原因 beside each row."""
    known = await _job(looking.registry, job)
    if not known.finished:
        raise Conflict("import-unfinished", state=known.state)
    folder = Path(tempfile.mkdtemp(prefix="xiapai-back-"))
    try:
        async with looking.registry.engine.connect() as connection:
            out = await back_copy(connection, job, folder)
        if out is None:
            raise Gone(jobs.UPLOAD_GONE)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _file(out, f"回执-{known.name}")


def _file(out: Path, name: str) -> Response:
    return Workbook(
        out,
        headers={
            "Content-Disposition": f"attachment; filename=\"back.xlsx\"; filename*=UTF-8''{quote(name)}",
            "Cache-Control": "no-store",
        },
        background=BackgroundTask(shutil.rmtree, out.parent, ignore_errors=True),
    )


async def _job(registry: Registry, id: UUID) -> Job:
    async with registry.engine.connect() as connection:
        job = await jobs.look(connection, id)
    if job is None:
        raise NotFound("not-found")
    return job


def _said(job: Job) -> dict[str, Any]:
    return {
        "id": str(job.id),
        "name": job.name,
        "by": job.by,
        "dry_run": job.dry_run,
        "state": job.state,
        "phase": job.phase,
        "rows_done": job.rows_done,
        "rows_total": job.rows_total,
        "counts": job.counts,
        "further_columns": job.further,
        "refusal": job.refusal,
        "positions": {"registry": job.position} if job.state == "done" else None,
        "submitted_at": job.submitted_at,
        "finished_at": job.finished_at,
    }


async def _receive(request: Request, path: Path) -> str:
    """Write the upload to ``path``; its name, where the request says one. BadRequest ``import-file-missing``."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=10) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise BadRequest("import-file-missing")
            with path.open("wb") as out:
                while chunk := await file.read(1 << 20):
                    out.write(chunk)
            return file.filename or ""
    size = 0
    with path.open("wb") as out:
        async for chunk in request.stream():
            size += out.write(chunk)
    if size == 0:
        raise BadRequest("import-file-missing")
    return ""
