"""A small supervisor of PostgreSQL: one cluster below one folder, on the loopback, with a password, ended with us."""

import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import asyncpg

from deploy.embedded import binaries, process, trouble
from deploy.embedded.account import Account, account_for
from deploy.embedded.apart import run_apart
from deploy.embedded.server import Server

USER = "xiapai"
ELSEWHERE = Path("/var/lib/xiapai")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # In files of the data folder, not in /dev/shm: that is 64 MB in a container, and would keep what a kill -9 left.
    "dynamic_shared_memory_type": "mmap",
    # A failing row's values, which may be personal, stand in DETAIL and STATEMENT: neither goes to the log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}


class EmbeddedPostgres(Server):
    """PostgreSQL below `folder` on 127.0.0.1:`port` (0: a free one, remembered), superuser `xiapai` with a password.

    As root it runs as the owner of existing data, else as `nobody`. The folder then holds `data`, `password` (0600),
    `port` and `server.log`; where that account may not enter the folder (below /root, say), `data` is a link to a place
    below /var/lib/xiapai. `settings` are PostgreSQL's own, and win over ours.

    `stop` is a fast shutdown: open transactions are rolled back, all is checkpointed; immediate if that takes long.
    """

    NAME = "PostgreSQL"
    ENDING = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))

    def __init__(self, folder: Path, *, port: int = 0, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, port)
        self._settings = {**SETTINGS, **(settings or {})}
        self._account: Account | None = None

    @property
    def data(self) -> Path:
        """Where the cluster really lies."""
        return (self.folder / "data").resolve()

    @property
    def dsn(self) -> str:
        """`postgresql://xiapai:PASSWORD@127.0.0.1:PORT/postgres`; `Trouble` before the first start."""
        return self.dsn_of("postgres")

    def dsn_of(self, database: str) -> str:
        return f"postgresql://{USER}:{(self.folder / 'password').read_text().strip()}@127.0.0.1:{self.port}/{database}"

    def kill(self) -> None:
        """kill -9 of the server and its children at once, as a lost machine would."""
        if self.process is not None:
            self.process.kill()
            self._end_orphans()
            self.process.wait()
            self.process = None
        self._release()

    def restart_immediate(self) -> None:
        """Immediate shutdown (no checkpoint, connections cut) and start on the same port, through crash recovery."""
        if self.process is not None:
            process.stop(self.process, [(signal.SIGQUIT, 10.0)])
            self.process = None
        self._release()
        self.start()

    def create_database(self, name: str) -> str:
        """Create the database unless it is there; its address."""

        async def create() -> None:
            connection = await asyncpg.connect(self.dsn)
            try:
                if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                    quoted = name.replace('"', '""')
                    await connection.execute(f'CREATE DATABASE "{quoted}"')
            finally:
                await connection.close()

        run_apart(create())
        return self.dsn_of(name)

    # ---- starting ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Clean up after a killed run, make the cluster where there is none, and start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._account = account_for(self.data)
        data = self._place()
        self._hold(data.parent)
        process.start_log(self.log)
        self._end_orphans()
        programs = binaries.programs(self._account, data.parent if self._account.switch else self.folder)
        if not data.is_dir():
            self._initialise(programs, data)
        self._choose_port()
        self._serve(programs, data)

    def _place(self) -> Path:
        """Where the data lies or will lie: below our folder, or where the account can reach it."""
        assert self._account is not None
        if self.data.is_dir():
            if self.data.stat().st_uid != self._account.uid:
                raise trouble.not_writable(self.data)
        elif self._account.switch:
            self.folder.chmod(0o711)
            if not self._account.reaches(self.folder):
                place = ELSEWHERE / hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16] / "data"
                place.parent.mkdir(parents=True, exist_ok=True)
                for parent in (ELSEWHERE, place.parent):
                    parent.chmod(0o711)
                (self.folder / "data").unlink(missing_ok=True)
                (self.folder / "data").symlink_to(place)
        if not self._account.reaches(self.data.parent):
            raise trouble.not_writable(self.data)
        return self.data

    def _initialise(self, programs: Path, data: Path) -> None:
        """initdb into a folder beside, renamed when done: an interrupted one is begun again."""
        account = self._account
        assert account is not None
        partial = data.with_name("data.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        password = secrets.token_urlsafe(24)
        kept = self.folder / "password"
        kept.unlink(missing_ok=True)
        with open(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password + "\n")
        read, write = os.pipe()
        os.write(write, f"{password}\n".encode())
        os.close(write)
        if account.switch:
            os.chown(partial, account.uid, account.gid)
            os.fchown(read, account.uid, account.gid)
        command = [
            str(programs / "initdb"),
            f"--pgdata={partial}",
            f"--username={USER}",
            "--pwfile=/dev/stdin",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # The builtin provider sorts the same on every system; the C library's C.UTF-8 knows what is a letter.
            "--locale=C.UTF-8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
        ]
        with os.fdopen(read, "rb") as stdin, self.log.open("ab") as log:
            done = subprocess.run(
                command,
                stdin=stdin,
                stdout=log,
                stderr=log,
                cwd=partial,
                env=_environment(),
                user=account.uid if account.switch else None,
                group=account.gid if account.switch else None,
                extra_groups=[] if account.switch else None,
            )
        if done.returncode != 0:
            raise trouble.of_output(self.NAME, self.folder, self.log, process.tail(self.log))
        partial.rename(data)

    def _serve(self, programs: Path, data: Path) -> None:
        account = self._account
        assert account is not None
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        # After a crash the server may replay its log for minutes, which is progress and no failure.
        self._run(
            [programs / "postgres", "-D", data, "-p", str(self.port), *options],
            lambda: _status(data) == "ready",
            seconds=300.0,
            cwd=data,
            env=_environment(),
            uid=account.uid if account.switch else None,
            gid=account.gid if account.switch else None,
            parent_death=signal.SIGINT,
        )

    # ---- cleaning up ------------------------------------------------------------------------------------------------

    def _end_orphans(self) -> None:
        """kill -9 whatever still works in the data folder, and drop the pid file that names it.

        Nobody supervises it: we hold the lock. The pid file must go, for in a container its number soon belongs to
        another program; shared memory of the same folder is then found by its key, and reused, by the server itself.
        """
        until = time.monotonic() + 30.0
        while left := [pid for pid in _working_in(self.data, self._account) if pid != os.getpid()]:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > until:
                raise trouble.in_use(self.data)
            time.sleep(0.02)
        (self.data / "postmaster.pid").unlink(missing_ok=True)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "LC_MESSAGES": "C"}


def _status(data: Path) -> str:
    """The server's own word on its state: the eighth line of its pid file."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, PermissionError):
        return ""
    return lines[7].strip() if len(lines) > 7 else ""


def _working_in(data: Path, account: Account | None) -> list[int]:
    """Processes whose working folder is `data`: every process of the server has it, also one whose parent is gone.

    Asked as the account that owns them: root in a container may not look into another's processes.
    """
    switch = account is not None and account.switch
    try:
        listed = subprocess.run(
            ["find", "/proc", "-mindepth", "2", "-maxdepth", "2", "-name", "cwd", "-printf", "%p %l\\n"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd="/",
            user=account.uid if account is not None and switch else None,
            group=account.gid if account is not None and switch else None,
            extra_groups=[] if switch else None,
        ).stdout
    except FileNotFoundError:
        return []
    found = (line.split(" ", 1) for line in listed.splitlines())
    return [int(path.split("/")[2]) for path, target in found if target == str(data)]
