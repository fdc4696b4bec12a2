"""Child processes that do not outlive us, folders that one process holds, ports that are free."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.embedded import trouble

# The kernel sends PDEATHSIG when the *thread* that forked ends, so all children come from one thread that lives as long
# as the process; a pool thread of an event loop would take its children along when the loop closes.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1
_given: set[int] = set()


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str],
    uid: int | None = None,
    gid: int | None = None,
    parent_death: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a server whose output goes to `log`, as another user where `uid` is given, ended when we are killed.

    It leads a process group of its own, so that Ctrl-C reaches only us, and we stop it in our order.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(parent_death), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    def popen() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env=dict(env),
                user=uid,
                group=gid,
                extra_groups=[] if uid is not None else None,
                process_group=0,
                preexec_fn=die_with_parent,
            )

    return _spawner.submit(popen).result()


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], *, seconds: float) -> bool:
    """True once `ready()`; False when the process ended or `seconds` went by first."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if ready():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    return False


def stop(process: subprocess.Popen[bytes], signals: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn, giving each its seconds, until the process is gone; SIGKILL last."""
    for number, seconds in (*signals, (signal.SIGKILL, 30.0)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def listens(port: int) -> bool:
    """Does anything accept connections on this loopback port?"""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do it: a port in TIME_WAIT of our own last run is free, one that somebody listens on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port below the ephemeral range, so that no outgoing connection takes it meanwhile."""
    start = os.getpid() * 37 + time.monotonic_ns() // 1000
    for offset in range(10_000):
        port = 20_000 + (start + offset) % 10_000
        # One that we gave away a moment ago is free until its server listens.
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def choose_port(wanted: int, remembered: Path, server: str) -> int:
    """The port that was asked for, else the one remembered from the last start, else a free one; remembered.

    Raises `Trouble` port-in-use for a port that was asked for and is taken.
    """
    if wanted:
        if not is_free(wanted):
            raise trouble.port_in_use(wanted, server)
        port = wanted
    else:
        last = int(remembered.read_text()) if remembered.is_file() and remembered.read_text().strip().isdigit() else 0
        port = last if last and is_free(last) else free_port()
    remembered.write_text(f"{port}\n")
    return port


class FolderLock:
    """Held by one process as long as it lives: the kernel lets go of it also on kill -9."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises `Trouble` data-folder-in-use where another process holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise trouble.in_use(self._path.parent) from None
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def tail(log: Path, size: int = 4000) -> str:
    """The end of a server's log, for its last words."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - size))
        return file.read().decode("utf-8", "replace")


def start_log(log: Path, keep: int = 5_000_000) -> None:
    """Begin a log: the last one is kept beside as `.1` once it has grown past `keep` bytes."""
    if log.is_file() and log.stat().st_size > keep:
        log.replace(log.with_suffix(log.suffix + ".1"))
