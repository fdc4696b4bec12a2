"""Import of a workbook: 100,000 rows of a district, through the API and the worker, beside openpyxl reading the same
file and doing nothing else: the time from the upload to the last row, the worker's CPU in it, and its peak memory."""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from time import monotonic

from rich.console import Console

from benchmarks.lab import Lab, program
from benchmarks.rows import Goal, Round, Row
from benchmarks.running import Running, install, running
from command.importing import client, import_workbook
from command.place import Address
from deploy.demo import build, write_workbook

BESIDE = "openpyxl, read-only, reading it alone"
CPU = Row("import of a workbook of 100,000 rows, CPU", BESIDE, "s", Goal(None, 3))
TIME = Row("import of a workbook of 100,000 rows, time", BESIDE, "s", Goal(None, 3))
PEAK = Row("import of a workbook of 100,000 rows, peak memory", BESIDE, "MB", Goal(None, 400, own=True))
ROWS = 100_000


async def measure(lab: Lab) -> AsyncGenerator[Round]:
    book = lab.folder / "下派台账.xlsx"
    one = build()
    rows_of_one = sum(map(len, one.sheets().values()))
    write_workbook(book, build(max(1, round(lab.size(ROWS, 1) / rows_of_one))))
    for _ in range(min(lab.rounds, 3)):
        place = await install(lab, ["registry"])
        async with running(place, "api", "worker") as system:
            before, began = cpu(system.processes["worker"].pid), monotonic()
            await asyncio.to_thread(_import, system, book)
            took = monotonic() - began
            worker = system.processes["worker"].pid
            spent, peak = cpu(worker) - before, peak_mb(worker)
        said = await program("benchmarks.peers.reading", str(book))
        yield Round(CPU, spent, float(said["cpu"]))
        yield Round(TIME, took, float(said["seconds"]))
        yield Round(PEAK, peak, float(said["peak_mb"]))


def _import(system: Running, book: Path) -> None:
    with client(Address(system.url, system.token)) as http:
        outcome = import_workbook(http, book, dry_run=False, console=Console(quiet=True), visible=False)
        assert not outcome.refused, f"{outcome.refused} rows of the demo were refused"


def cpu(pid: int) -> float:
    """Seconds of CPU, user and system, that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> float:
    """The most memory that a process had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0
