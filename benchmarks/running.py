"""The processes of the system as they run in production, on the lab's servers: api, relay, worker, each a process."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import httpx

from benchmarks.lab import CHECKOUT, Lab
from chassis.identity.development import mint
from chassis.identity.principal import Role
from chassis.settings import Settings, load_settings
from chassis.tools import kafka_settings, migrate_service
from command.services import NAMES, services
from deploy.embedded import process
from ledger.kafka import KafkaSettings, ensure_topics

READY_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Running:
    """``processes`` by role; ``databases`` by service."""

    port: int
    settings: Settings
    token: str
    processes: dict[str, subprocess.Popen[bytes]]
    databases: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Installation:
    """Settings of an installation whose databases are there and migrated; nothing runs yet."""

    folder: Path
    environment: dict[str, str]
    settings: Settings
    databases: dict[str, str]

    @property
    def kafka(self) -> KafkaSettings:
        return kafka_settings(self.settings)


async def install(lab: Lab, names: Sequence[str] = NAMES, databases: Mapping[str, str] | None = None) -> Installation:
    """Databases and topics for these services; ``databases`` are those that are there already, by service."""
    given = databases or {}
    databases = {name: given.get(name) or lab.database() for name in names}
    folder = lab.folder / f"data-{os.urandom(4).hex()}"
    folder.mkdir()
    topics = lab.topics()
    environment = {
        "XIAPAI_ENVIRONMENT": "development",
        "XIAPAI_DATA": str(folder),
        "XIAPAI_KAFKA_BOOTSTRAP": topics.bootstrap,
        "XIAPAI_TOPIC_PREFIX": topics.prefix,
        **{f"XIAPAI_DATABASE_{name.upper()}": dsn for name, dsn in databases.items()},
    }
    before = {name: value for name, value in os.environ.items() if name.startswith("XIAPAI_")}
    for name in before:
        del os.environ[name]
    os.environ.update(environment)
    try:
        settings = load_settings()
    finally:
        for name in environment:
            del os.environ[name]
        os.environ.update(before)
    for service in services(names):
        await migrate_service(service, settings)
        if service.topics:
            await ensure_topics(kafka_settings(settings), service.topics)
    return Installation(folder, environment, settings, databases)


@asynccontextmanager
async def running(place: Installation, *roles: str) -> AsyncIterator[Running]:
    """Run these roles of all its services, and return once each is ready."""
    ports = {role: process.free_port() for role in roles}
    started: dict[str, subprocess.Popen[bytes]] = {}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("XIAPAI_")}
    try:
        for role in roles:
            own = inherited | place.environment
            own |= {"XIAPAI_HTTP_PORT": str(ports[role]), "XIAPAI_PUBLIC_URL": f"http://127.0.0.1:{ports[roles[0]]}"}
            command = [sys.executable, "-P", "-m", "command", "run", role, *place.databases]
            started[role] = process.spawn(command, log=place.folder / f"{role}.log", cwd=CHECKOUT, env=own)
        for role in roles:
            await _ready(place, role, ports[role], started[role])
        token = mint(
            place.settings.model_copy(update={"public_url": f"http://127.0.0.1:{ports[roles[0]]}"}), Role.OFFICE
        )
        yield Running(ports[roles[0]], place.settings, token, started, place.databases)
    finally:
        for one in started.values():
            one.send_signal(signal.SIGTERM)
        for one in started.values():
            process.stop(one, [(signal.SIGTERM, 10.0)])


async def _ready(place: Installation, role: str, port: int, started: subprocess.Popen[bytes]) -> None:
    until = monotonic() + READY_SECONDS
    async with httpx.AsyncClient(trust_env=False, timeout=2) as http:
        while monotonic() < until and started.poll() is None:
            try:
                if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError(f"{role} did not get ready: {process.tail(place.folder / f'{role}.log', 800)}")
