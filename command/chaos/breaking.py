"""What breaks an installation: its own processes killed, where `up` runs them here, or a command of the operator's."""

import asyncio
import json
import os
import signal
from pathlib import Path
from time import monotonic

from command.chaos.storm import Fault
from command.mistakes import Mistake, NotRunning
from command.place import running_file

ROLES = ("api", "relay", "worker")
BACK_SECONDS = 60.0


def processes_of(data: Path) -> dict[str, int]:
    """By role, the processes that `up` runs from a data folder now. Raises NotRunning."""
    try:
        parent = json.loads(running_file(data).read_text())["pid"]
        os.kill(int(parent), 0)
    except (OSError, ValueError, KeyError):
        raise NotRunning(
            f"{data} 没有正在运行的系统,无从杀起。Nothing runs from {data}, so there is nothing to kill."
        ) from None
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            status, line = (folder / "status").read_text(), (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # ended meanwhile
            continue
        if f"\nPPid:\t{parent}\n" in status and b"command" in line and b"run" in line:
            role = line[line.index(b"run") + 1].decode()
            if role in ROLES:
                found[role] = int(folder.name)
    return found


def killing(data: Path, role: str) -> Fault:
    """kill -9 of a process of `up`, once it is there (again)."""

    async def kill() -> str:
        until = monotonic() + BACK_SECONDS
        while (pid := processes_of(data).get(role)) is None:
            if monotonic() > until:
                raise Mistake(f"{role} 在一分钟内没有再启动。{role} did not start again within a minute.")
            await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        return f"kill -9 {role}"

    return kill


def running(command: str) -> Fault:
    """A command of the operator's, by the shell; its failure ends the run."""

    async def run() -> str:
        process = await asyncio.create_subprocess_shell(
            command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        if process.returncode:
            last = (said.decode("utf-8", "replace").strip().splitlines() or [""])[-1]
            raise Mistake(
                f"--exec 的命令失败({process.returncode})。The command of --exec failed ({process.returncode}): "
                f"{command}: {last}"
            )
        return command

    return run
