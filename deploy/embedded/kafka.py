"""Apache Kafka in KRaft mode, one node, from the jars that Maven brings: for tests and wherever Java is.

Needs `java` 17 or later, and `mvn` for the first start.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded import process, trouble
from deploy.embedded.server import Server

VERSION = "4.2.0"
POM = Path(__file__).with_name("kafka_pom.xml")
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
CLUSTER = "5L6g3nShT-eMCtK--X86sw"
LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.c.ref = C
appender.c.type = Console
appender.c.name = C
appender.c.layout.type = PatternLayout
appender.c.layout.pattern = [%d] %p %m (%c)%n
"""


def cache() -> Path:
    """Where the jars are kept, shared by all checkouts of a user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xiapai" / f"kafka-{VERSION}"


def is_possible() -> str:
    """Empty where Kafka can be started, else the reason why not, to be printed."""
    if shutil.which("java") is None:
        return "no Java here"
    if not cache().is_dir() and shutil.which("mvn") is None:
        return "no Maven here to fetch Kafka with"
    return ""


def jars() -> Path:
    """The folder with Kafka's jars, fetched at the first call. Raises `Trouble` program-missing."""
    folder = cache()
    if folder.is_dir():
        return folder
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    done = subprocess.run(
        ["mvn", "-q", "-B", "-Dstyle.color=never", "-f", POM, COPY, f"-DoutputDirectory={partial}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=partial,
    )
    if done.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        said = next((line for line in done.stdout.splitlines() if "ERROR" in line), "").strip()[:200]
        raise trouble.missing("Kafka", f"Maven 未能下载，请检查网络（{said}）", f"Maven could not fetch it ({said})")
    try:
        partial.rename(folder)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)  # another process was first
    return folder


class EmbeddedKafka(Server):
    """Kafka; its records lie below `folder` and survive a kill."""

    NAME = "Kafka"
    ENDING = ((signal.SIGTERM, 20.0),)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.thaw()
        super().stop()

    def freeze(self) -> None:
        """As a network that swallows everything: connections stand, nobody answers."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Inside, connections are broken and new ones refused; afterwards it is back with its records and port."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    def _start(self) -> None:
        self._begin()
        settings = self.folder / "server.properties"
        settings.write_text(self._properties(controller=process.free_port()))
        logging = self.folder / "log4j2.properties"
        logging.write_text(LOGGING)
        java = shutil.which("java")
        if java is None:
            raise trouble.missing("Java", "请安装 Java 17 或更高版本", "install Java 17 or later")
        run = [
            java,
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-Dlog4j2.configurationFile={logging}",
            "-cp",
            f"{jars()}/*",
        ]
        env = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
        if not (self.folder / "records" / "meta.properties").is_file():
            format_command = [*run, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(settings)]
            with self.log.open("ab") as log:
                done = subprocess.run(format_command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
            if done.returncode != 0:
                raise trouble.of_output(self.NAME, self.folder, self.log, process.tail(self.log))
        command: list[str | Path] = [*run, "kafka.Kafka", settings]
        self._run(command, lambda: process.listens(self.port), seconds=90.0, cwd=self.folder, env=env)

    def _properties(self, controller: int) -> str:
        values = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.folder / "records"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # After a kill -9 the controller takes the broker back only once its last session has run out.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            "group.initial.rebalance.delay.ms": "0",
            "log.retention.ms": "-1",
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())
