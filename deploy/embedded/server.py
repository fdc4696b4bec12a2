"""A server as a child process: it holds its folder as long as it runs, and ends with us."""

import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from deploy.embedded import process, trouble


class Server(ABC):
    """A program on 127.0.0.1:`port` (0: a free one, remembered in `folder`); its log is `folder/server.log`."""

    NAME: ClassVar[str]
    ENDING: ClassVar[Sequence[tuple[signal.Signals, float]]]
    """The signals that end it, each with the seconds that it is given."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: process.FolderLock | None = None
        self.log = self.folder / "server.log"

    @property
    def pid(self) -> int | None:
        """The server's process, while it runs."""
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    def start(self) -> None:
        """Return once it takes connections.

        Raises `Trouble`: data-folder-in-use, data-folder-not-writable, disk-full, port-in-use, program-missing,
        server-did-not-start.
        """
        if self.pid is not None:
            return
        try:
            self._start()
        except OSError as error:
            self._release()
            raise trouble.of_os_error(self.folder, error) from error
        except BaseException:
            self._release()
            raise

    def stop(self) -> None:
        if self.process is not None:
            process.stop(self.process, self.ENDING)
            self.process = None
        self._release()

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        self._release()

    @abstractmethod
    def _start(self) -> None:
        """Hold the folder, choose the port, run the program."""

    def _begin(self) -> None:
        """All that comes before running it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._hold(self.folder)
        process.start_log(self.log)
        self._choose_port()

    def _hold(self, folder: Path) -> None:
        self._lock = process.FolderLock(folder / "lock")
        self._lock.take()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _choose_port(self) -> None:
        self.port = process.choose_port(self.port, self.folder / "port", self.NAME)

    def _run(self, command: Sequence[str | Path], ready: Callable[[], bool], *, seconds: float, **how: Any) -> None:
        """Start the program, `how` as for `process.spawn`, and return once it is ready; else `Trouble` with its last
        words."""
        began = self.log.stat().st_size if self.log.is_file() else 0
        self.process = process.spawn(command, log=self.log, **how)
        if not process.wait_until(ready, self.process, seconds=seconds):
            process.stop(self.process, self.ENDING[1:])
            self.process = None
            said = process.tail(self.log, self.log.stat().st_size - began)
            raise trouble.of_output(self.NAME, self.folder, self.log, said, self.port)
