"""`xiapai import`: hand a workbook to the registry's API, follow the job, bring back what was refused."""

import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from command.mistakes import ImportFailed
from command.place import Address
from services.registry.workbook.columns import Outcome as RowOutcome

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
VISIBLE_SECONDS = 120.0
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an import: the job as the API tells it, and whether every row was taken."""

    job: dict[str, Any]

    @property
    def position(self) -> int:
        """How far the registry's ledger has to be read to see all of it (0 after a dry run)."""
        return int((self.job["positions"] or {}).get("registry", 0))

    @property
    def refused(self) -> int:
        return sum(int(counts.get(RowOutcome.REFUSED.value, 0)) for counts in self.job["counts"].values())


def client(address: Address) -> httpx.Client:
    """An HTTP client that shows the token."""
    return httpx.Client(**address.client_options, timeout=60)


def said(answer: httpx.Response) -> str:
    """What a problem document says, in both languages."""
    try:
        problem = answer.json()
        return f"{problem['detail']} {problem.get('detail_en', '')} ({problem['code']})"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"


def import_workbook(
    http: httpx.Client, workbook: Path, *, dry_run: bool, console: Console, visible: bool = True
) -> Outcome:
    """Send the workbook, show its progress, and return once its rows are visible to readers.

    Raises:
        ImportFailed: the workbook as a whole was refused, or the job broke off.
    """
    answer = http.post(
        "/api/registry/imports",
        params={"dry_run": str(dry_run).lower(), "name": workbook.name},
        content=workbook.read_bytes(),
        headers={"Content-Type": XLSX, "Idempotency-Key": str(uuid.uuid4())},
    )
    if answer.status_code != 202:
        raise ImportFailed(said(answer))
    job = answer.json()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("导入 importing", total=None)
        while job["state"] not in ("done", "failed"):
            time.sleep(POLL_SECONDS)
            answer = http.get(f"/api/registry/imports/{job['id']}")
            if answer.status_code != 200:
                raise ImportFailed(said(answer))
            job = answer.json()
            progress.update(
                bar, completed=job["rows_done"], total=job["rows_total"], description=job["phase"] or "导入 importing"
            )
    if job["state"] != "done":
        refusal = job["refusal"] or {}
        raise ImportFailed(f"{refusal.get('zh', '导入没有完成。')} {refusal.get('en', '')} ({refusal.get('code', '')})")
    outcome = Outcome(job)
    if visible and not dry_run:
        wait_until_visible(http, outcome.position)
    return outcome


def wait_until_visible(http: httpx.Client, position: int) -> None:
    """Return once readers see the registry's ledger up to ``position``.

    Raises:
        ImportFailed: they do not within two minutes.
    """
    until = time.monotonic() + VISIBLE_SECONDS
    while True:
        answer = http.get("/api/query/roster", params={"limit": 1}, headers={"After": f"registry@{position}"})
        if answer.status_code == 200:
            return
        if answer.status_code not in (409, 503) or time.monotonic() > until:
            raise ImportFailed(f"已导入,但读者尚未看到 imported, but not yet visible to readers: {said(answer)}")


def show(outcome: Outcome, console: Console) -> None:
    """Print the counts, sheet by sheet."""
    table = Table("工作表 sheet", *(f"{one.value} {one.name.lower()}" for one in RowOutcome))
    for sheet, counts in outcome.job["counts"].items():
        table.add_row(sheet, *(str(counts.get(one.value, 0)) for one in RowOutcome))
    console.print(table)
    for sheet, columns in outcome.job["further_columns"].items():
        console.print(f"{sheet}: 未用的列 columns passed over: {', '.join(columns)}")


def fetch_back_copy(http: httpx.Client, outcome: Outcome, out: Path) -> None:
    """Write the workbook with each row's result beside it."""
    with http.stream("GET", f"/api/registry/imports/{outcome.job['id']}/back-copy") as answer:
        if answer.status_code != 200:
            answer.read()
            raise ImportFailed(said(answer))
        with open(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # it holds names
            for chunk in answer.iter_bytes():
                file.write(chunk)
