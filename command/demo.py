"""Put the demo district into a running installation, through the same API as any office would."""

import threading
import time
import uuid
from datetime import date
from pathlib import Path

import httpx
from rich.console import Console

from command.importing import client, import_workbook, said, wait_until_visible
from command.mistakes import ImportFailed
from command.place import find
from deploy.demo import AFTER_IMPORT, Step, build, write_workbook

PERIOD = "2026H1"
NAMESPACE = uuid.UUID("990117de-0000-4000-8000-000000000000")
READY = "演示数据已就绪"


def load_demo(data: Path, console: Console, stop: threading.Event) -> None:
    """Import the demo's workbook and give the commands that a sheet cannot hold, unless that was done before; say so
    once readers see all of it. Broken off half-way, it is simply done again: nothing is recorded twice.

    Raises:
        ImportFailed: the API refused something; the message is its own.
    """
    done = data / "demo-position"
    with client(find(data, None)) as http:
        if not done.is_file():
            workbook = data / "下派台账-演示.xlsx"
            write_workbook(workbook, build())
            outcome = import_workbook(http, workbook, dry_run=False, console=console, visible=False)
            if outcome.refused:
                raise ImportFailed(f"{outcome.refused} 行未通过 rows of the demo were refused")
            position = max([outcome.position, *(give(http, step) for step in AFTER_IMPORT)])
            done.write_text(f"{position}\n")
        while not stop.is_set():
            try:
                wait_until_visible(http, int(done.read_text()))
                break
            except (ImportFailed, httpx.HTTPError):
                time.sleep(1.0)
    if not stop.is_set():
        console.print(READY, style="bold green")


_PATHS = {
    "RegisterUnit": "/api/registry/units",
    "MergeUnit": "/api/registry/units/{subject}/merge",
    "RenameUnit": "/api/registry/units/{subject}/rename",
    "ErasePerson": "/api/registry/persons/{subject}/erase",
}


def give(http: httpx.Client, step: Step) -> int:
    """Give one command; the position that the registry's ledger reached by it."""
    body = {name: value.isoformat() if isinstance(value, date) else value for name, value in step.fields.items()}
    if step.command == "RegisterUnit":
        body["unit"] = step.subject
    answer = http.post(
        _PATHS[step.command].format(subject=step.subject),
        json=body,
        headers={"Idempotency-Key": str(uuid.uuid5(NAMESPACE, f"{step.command} {step.subject}"))},
    )
    if answer.status_code not in (200, 201):
        raise ImportFailed(f"{step.command} {step.subject}: {said(answer)}")
    return int(answer.json()["position"])
