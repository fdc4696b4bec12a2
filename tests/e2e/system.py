"""The whole system as processes of its own: an API, a relay and a worker of all services, on given servers.

Each may be killed and started again by itself. What they say is kept, and shown where a test fails.
"""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from typer.testing import CliRunner, Result

from chassis.identity.development import mint
from chassis.identity.principal import Role
from chassis.settings import Settings
from chassis.tools import kafka_settings, migrate_service
from command.__main__ import app
from command.chaos.run import open_client
from command.chaos.verdict import Fact
from command.chaos.words import Command
from command.place import Address
from command.services import ledgers, services
from deploy.embedded import process
from deploy.embedded.apart import run_apart
from ledger.database import connect
from ledger.kafka import ensure_topics
from services.projection.audit import Audited, audit, ledger_events

CHECKOUT = Path(__file__).resolve().parents[2]
ROLES = ("api", "relay", "worker")
PATIENCE_SECONDS = 120.0


def until(condition: Callable[[], Any], what: str | Callable[[], str], seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait for a condition to hold; what it gave. ``what`` is asked for when it did not, if that tells more then."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() >= end:
            raise AssertionError(f"did not come true in {seconds:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.05)
    return found


@dataclass
class System:
    """Every service on its own database and on topics with a prefix of its own, one process of each role.

    ``environment`` holds the settings of all; the ports of the three stay the same when one is started again.
    """

    folder: Path
    environment: dict[str, str]
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        names = {name.removeprefix("XIAPAI_").lower(): value for name, value in self.environment.items()}
        return Settings.model_validate(names)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['api']}"

    def log(self, role: str) -> Path:
        return self.folder / f"{role}.log"

    def prepare(self) -> None:
        """Tables and topics, as `migrate` and `topics` make them."""
        for service in services():
            run_apart(migrate_service(service, self.settings))
        topics = [topic for service in ledgers() for topic in service.topics]
        run_apart(ensure_topics(kafka_settings(self.settings), topics))

    def start(self, *roles: str) -> None:
        """Start these (all where none is named), without waiting."""
        for role in roles or ROLES:
            assert role not in self.running
            own = {name: value for name, value in os.environ.items() if not name.startswith("XIAPAI_")}
            own |= self.environment | {"XIAPAI_HTTP_PORT": str(self.ports[role])}
            command = [sys.executable, "-P", "-m", "command", "run", role, *(service.name for service in services())]
            self.running[role] = process.spawn(command, log=self.log(role), cwd=CHECKOUT, env=own)

    def kill(self, role: str) -> None:
        """kill -9."""
        gone = self.running.pop(role)
        assert gone.poll() is None, f"{role} had ended by itself"
        gone.kill()
        gone.wait()

    def stop(self) -> None:
        for one in self.running.values():
            one.terminate()
        for one in self.running.values():
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()
        self.running.clear()

    def health(self, role: str, what: str = "readyz") -> tuple[int, dict[str, Any]]:
        """Status and body of a process's health page; (0, {}) where nobody answers."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.ports[role]}/{what}", timeout=10, trust_env=False)
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    def until_ready(self, *roles: str) -> None:
        for role in roles or ROLES:
            until(partial(self._ready, role), f"{role} is ready")

    def _ready(self, role: str) -> bool:
        code = self.running[role].poll()
        assert code is None, f"{role} ended with {code}: {process.tail(self.log(role), 2000)}"
        return self.health(role)[0] == 200

    @contextmanager
    def client(self, role: Role = Role.OFFICE, **scope: Any) -> Iterator[httpx.Client]:
        """An HTTP client of somebody in a role."""
        token = mint(self.settings, role, **scope)
        headers = {"Authorization": f"Bearer {token}"}
        limits = httpx.Limits(max_connections=100)
        with httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, limits=limits) as made:
            yield made

    def http(self, at_once: int = 20) -> httpx.AsyncClient:
        """The same for the office, for many requests at once."""
        return open_client(Address(self.url, mint(self.settings, Role.OFFICE)), at_once)

    def command(self, *arguments: str) -> Result:
        """`./xiapai ARGUMENTS` on this system, without the second that a process of its own takes to start."""
        return CliRunner().invoke(app, arguments, env=self.environment | {"COLUMNS": "200"})

    def rows(self, service: str, query: str, *values: Any) -> list[asyncpg.Record]:
        """What a query finds in a service's database."""
        dsn = self.environment[f"XIAPAI_DATABASE_{service.upper()}"]

        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(dsn)
            try:
                return list(await connection.fetch(query, *values))
            finally:
                await connection.close()

        return run_apart(ask())

    def ledger(self, service: str) -> list[tuple[int, str, str]]:
        """Position, stream and name of all that a service recorded."""
        found = self.rows(service, "SELECT position, stream, name FROM ledger ORDER BY position")
        return [(row["position"], row["stream"], row["name"]) for row in found]

    def facts(self, service: str) -> list[tuple[int, Fact, str]]:
        """Position, stream with version, and name of all that a service recorded."""
        found = self.rows(service, "SELECT position, stream, version, name FROM ledger ORDER BY position")
        return [(row["position"], (row["stream"], row["version"]), row["name"]) for row in found]

    def audited(self) -> None:
        """Roster, coverage and figures are as the projection's own second opinion folds them from the ledger."""

        async def ask() -> Audited | None:
            own, ledger = (connect(self.settings.database(name)) for name in ("projection", "registry"))
            try:
                return await audit(own, ledger_events(ledger), self.settings.clock_starts.date())
            finally:
                await own.dispose()
                await ledger.dispose()

        found = run_apart(ask())
        assert found is not None and found.compared, "there is a read model"
        assert found.difference is None, found.difference

    def words(self) -> str:
        """The end of what each process said."""
        return "\n".join(f"---- {role} ----\n{process.tail(self.log(role), 4000)}" for role in ROLES)


@contextmanager
def system(
    folder: Path, databases: Mapping[str, str], bootstrap: str, kind: str, prefix: str = "", **more: str
) -> Iterator[System]:
    """A system that is prepared and not started, stopped at the end; ``databases`` by service, ``kind`` of the broker
    as :class:`tests.infra.servers.Server` tells it. What they said is printed at the end, for pytest to show
    where a test fails."""
    ports = {role: process.free_port() for role in ROLES}
    real = "true" if kind == "kafka" else "false"
    environment = {
        "XIAPAI_ENVIRONMENT": "development",
        "XIAPAI_DATA": str(folder),
        "XIAPAI_CLOCK": "simulated",
        "XIAPAI_KAFKA_BOOTSTRAP": bootstrap,
        "XIAPAI_KAFKA_IDEMPOTENT": real,
        "XIAPAI_KAFKA_SINGLE_RECORD_BATCHES": "false" if kind == "kafka" else "true",
        "XIAPAI_TOPIC_PREFIX": prefix,
        "XIAPAI_PUBLIC_URL": f"http://127.0.0.1:{ports['api']}",
        **{f"XIAPAI_DATABASE_{service.upper()}": dsn for service, dsn in databases.items()},
        **more,
    }
    made = System(folder, environment, ports)
    try:
        yield made
    finally:
        made.stop()
        print(made.words())


def xiapai(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """One command of the launcher, in this environment of Python."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("XIAPAI_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "command", *arguments],
        cwd=CHECKOUT,
        env=own | {"COLUMNS": "200"} | dict(environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def new_key() -> dict[str, str]:
    """The header of a request of its own."""
    return {"Idempotency-Key": str(uuid.uuid4())}


def give(http: httpx.Client, command: Command, headers: dict[str, str] | None = None) -> httpx.Response:
    """Give a command, by default under a key of its own."""
    return http.post(command.path, json=command.body, headers=headers or new_key())


def records(http: httpx.Client, *commands: Command) -> int:
    """Give commands that are taken; the registry's position after them."""
    for command in commands:
        answer = give(http, command)
        assert answer.status_code in (200, 201), answer.text
    return int(answer.json()["position"])


def roster(http: httpx.Client, position: int) -> dict[str, dict[str, Any]]:
    """Every posting on the roster, once readers see the registry's ledger up to ``position``."""
    found: dict[str, dict[str, Any]] = {}
    asked: dict[str, Any] = {"status": "any", "limit": 50}
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = http.get("/api/query/roster", params=asked, headers={"After": f"registry@{position}"})
        if answer.status_code in (409, 503) and time.monotonic() < end:
            continue
        assert answer.status_code == 200, answer.text
        found |= {item["posting"]: item for item in answer.json()["items"]}
        if answer.json()["next"] is None:
            return found
        asked["cursor"] = answer.json()["next"]
