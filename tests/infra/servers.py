"""The broker and the database of a test session, started at first use.

Order: addresses in the environment (XIAPAI_TEST_KAFKA, XIAPAI_TEST_POSTGRES), testcontainers where an engine answers and
has or gets the image, Apache Kafka by Maven, embedded. XIAPAI_TEST_INFRA=env|testcontainers|maven|embedded forces one.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import pytest

from deploy.embedded import kafka as maven
from deploy.embedded.broker import EmbeddedBroker
from deploy.embedded.kafka import EmbeddedKafka
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.trouble import Trouble
from tests.infra import containers

KINDS = ("env", "testcontainers", "maven", "embedded")
# A killed server loses nothing by this, for the system keeps its pages; only a lost machine would.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "4GB"}


@dataclass(frozen=True)
class Server:
    """`address` is a bootstrap list or a DSN of a superuser; `name` is what the summary prints."""

    address: str
    name: str
    kind: Literal["kafka", "tansu", "postgres"]


class Infra:
    """The servers that all tests of a session share, and private ones that a test may kill."""

    def __init__(self, forced: str | None) -> None:
        if forced and forced not in KINDS:
            raise pytest.UsageError(f"XIAPAI_TEST_INFRA={forced}: choose one of {', '.join(KINDS)}.")
        self._forced = forced
        self._stack = ExitStack()
        self.passed_over: list[str] = []

    @property
    def kafka(self) -> str:
        """Bootstrap servers."""
        return self.kafka_server.address

    @property
    def kafka_kind(self) -> Literal["kafka", "tansu"]:
        return "tansu" if self.kafka_server.kind == "tansu" else "kafka"

    @property
    def postgres(self) -> str:
        """DSN of a superuser, on a database that no test writes to."""
        return self.postgres_server.address

    @property
    def describe(self) -> str:
        """What has been started so far."""
        started = [self.__dict__[part].name for part in ("kafka_server", "postgres_server") if part in self.__dict__]
        return ", ".join(started) or "no server was needed"

    @cached_property
    def kafka_server(self) -> Server:
        if self._may("env") and (address := os.environ.get("XIAPAI_TEST_KAFKA")):
            return Server(address, "Apache Kafka of XIAPAI_TEST_KAFKA", "kafka")
        if self._may("testcontainers"):
            found = containers.kafka(self._stack)
            if isinstance(found, str):
                return Server(found, f"Apache Kafka {maven.VERSION} in a container", "kafka")
            self._pass_over(f"Kafka in a container: {found}")
        if self._may("maven"):
            if not (reason := why_no_kafka()):
                server = self._stack.enter_context(self.own_kafka())
                return Server(server.bootstrap, f"Apache Kafka {maven.VERSION} by Maven", "kafka")
            self._pass_over(f"Kafka by Maven: {reason}")
        if self._may("embedded"):
            broker = EmbeddedBroker(self._stack.enter_context(temporary_folder("tansu")))
            self._stack.callback(broker.stop)
            broker.start()
            return Server(broker.bootstrap, "Tansu (embedded, in memory)", "tansu")
        raise pytest.UsageError("XIAPAI_TEST_INFRA=env needs XIAPAI_TEST_KAFKA.")

    @cached_property
    def postgres_server(self) -> Server:
        if self._may("env"):
            if address := os.environ.get("XIAPAI_TEST_POSTGRES"):
                return Server(address, "PostgreSQL of XIAPAI_TEST_POSTGRES", "postgres")
            if self._forced == "env":
                raise pytest.UsageError("XIAPAI_TEST_INFRA=env needs XIAPAI_TEST_POSTGRES.")
        if self._may("testcontainers"):
            found = containers.postgres(self._stack, FAST)
            if isinstance(found, str):
                return Server(found, "PostgreSQL 18 in a container", "postgres")
            self._pass_over(f"PostgreSQL in a container: {found}")
        server = self._stack.enter_context(self.own_postgres())
        return Server(server.dsn, "PostgreSQL 18 (embedded)", "postgres")

    @contextmanager
    def own_postgres(self, settings: Mapping[str, str] | None = None) -> Iterator[EmbeddedPostgres]:
        """A PostgreSQL for one test alone, which may kill it: durable, unlike the shared one."""
        with temporary_folder("postgres") as folder:
            server = EmbeddedPostgres(folder, settings=settings)
            try:
                server.start()
                yield server
            finally:
                server.stop()

    @contextmanager
    def own_kafka(self) -> Iterator[EmbeddedKafka]:
        """An Apache Kafka for one test alone, which may kill, freeze or cut it; skips the test where no Java is."""
        if reason := why_no_kafka():
            pytest.skip(f"needs an Apache Kafka of its own: {reason}")
        with temporary_folder("kafka") as folder:
            server = EmbeddedKafka(folder)
            try:
                server.start()
                yield server
            finally:
                server.stop()

    def close(self) -> None:
        self._stack.close()

    def _may(self, kind: str) -> bool:
        return self._forced in (None, "", kind)

    def _pass_over(self, reason: str) -> None:
        if self._forced:
            raise pytest.UsageError(f"XIAPAI_TEST_INFRA={self._forced} cannot be had. {reason}")
        self.passed_over.append(reason)


@cache
def why_no_kafka() -> str:
    """Empty where an Apache Kafka can be started from Maven's jars, which are then there; else the reason why not."""
    if reason := maven.is_possible():
        return reason
    try:
        maven.jars()
    except Trouble as trouble:
        return trouble.en
    return ""


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """A folder that other accounts may pass through: as root, PostgreSQL runs as another one."""
    folder = Path(tempfile.mkdtemp(prefix=f"xiapai-{name}-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
