"""Start: `./xiapai up` from stopped, with the demo district in its data folder, until it says 就绪; and the memory of
everything that it started, half a minute later: the sum of PSS, in which shared pages count once."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from time import monotonic

from benchmarks.lab import CHECKOUT, Lab
from benchmarks.rows import Goal, Round, Row
from deploy.embedded import process

START = Row("start: `up` from stopped with data", "", "s", Goal(None, 8, own=True))
MEMORY = Row("memory of the whole embedded system", "", "MB", Goal(None, 800, own=True))
SETTLED_SECONDS = 30.0


async def measure(lab: Lab) -> AsyncGenerator[Round]:
    data = lab.folder / "up"
    await _once(data, "演示数据已就绪", 0)
    for _ in range(min(lab.rounds, 3)):
        seconds, memory = await _once(data, "就绪", lab.seconds(SETTLED_SECONDS))
        yield Round(START, seconds)
        yield Round(MEMORY, memory)


async def _once(data: Path, word: str, settled: float) -> tuple[float, float]:
    """Seconds until it said the word, and megabytes of all its processes after so many seconds more."""
    log = data.with_suffix(".log")
    log.write_text("")
    own = {name: value for name, value in os.environ.items() if not name.startswith("XIAPAI_")}
    command = [sys.executable, "-P", "-m", "command", "up", "--data", str(data)]
    began = monotonic()
    started = process.spawn(command, log=log, cwd=CHECKOUT, env=own, parent_death=signal.SIGTERM)
    try:
        said = await asyncio.to_thread(
            process.wait_until, lambda: word in log.read_text().splitlines(), started, seconds=180
        )
        if not said:
            raise RuntimeError(f"up did not say {word}: {process.tail(log, 500)}")
        seconds = monotonic() - began
        await asyncio.sleep(settled)
        return seconds, sum(_pss(pid) for pid in family(started)) / 1024
    finally:
        process.stop(started, [(signal.SIGTERM, 40.0)])


def family(started: subprocess.Popen[bytes]) -> list[int]:
    """The process and all that descend from it."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found = [started.pid]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _pss(pid: int) -> int:
    """Kilobytes; 0 where the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
