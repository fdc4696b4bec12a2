"""A service on a database of its own, opened through its own composition root; what would come over Kafka is handed
to its handlers by hand.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx
from fastapi import FastAPI
from xiapai_contracts.event import event_type
from xiapai_contracts.record import Meta
from xiapai_contracts.topic import Topic

from chassis.api_process import api_app
from chassis.identity.development import mint
from chassis.identity.principal import Role
from chassis.service import Service, Tools, Work
from chassis.settings import Settings
from chassis.tools import migrate_service, open_tools
from ledger.deliver import Delivered, Handler
from ledger.reader import read
from ledger.recorded import Recorded

_NAMES = UUID("5a1c1d0e-3c63-4b57-9a53-1f3b8f3f5d11")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def delivered(event: Any, stream: str, topic: Topic, position: int = 1) -> Delivered:
    """An event as a handler gets it; the same stream and position give the same id."""
    meta = Meta(
        source=topic.owner,
        type=event_type(event).event_name,
        epoch="e1",
        position=position,
        previous=0,
        published=datetime.now(UTC),
        id=str(uuid5(_NAMES, f"{topic.name}/{stream}/{position}")),
        stream=stream,
        version=1,
        traceparent=TRACE,
    )
    return Delivered(meta=meta, topic=topic.name, partition=0, offset=position, event=event, value=None)


@dataclass(frozen=True)
class Bench:
    """A service at work."""

    service: Service
    tools: Tools
    work: Work

    async def deliver(self, handler: str, *events: Delivered) -> None:
        """Hand a batch to a handler, in a transaction of its own."""
        found = self.handler(handler)
        async with self.tools.engine.begin() as connection:
            await found.apply(connection, events)

    def handler(self, name: str) -> Handler:
        return next(handler for handler in self.work.handlers if handler.name == name)

    async def ledger(self) -> list[Recorded]:
        """All that the service recorded."""
        async with self.tools.engine.connect() as connection:
            return await read(connection, 0, 10_000)

    async def events(self) -> list[Any]:
        """The events that it recorded."""
        return [self.tools.codec.decode(one.name, one.schema, one.data) for one in await self.ledger()]

    async def published(self, topic: Topic) -> list[Delivered]:
        """What it recorded, as its readers get it."""
        return [
            delivered(self.tools.codec.decode(one.name, one.schema, one.data), one.stream, topic, one.position)
            for one in await self.ledger()
        ]


@asynccontextmanager
async def bench(service: Service, database: str, data: Path, **more: Any) -> AsyncIterator[Bench]:
    """The service with a simulated clock that stands at 2026-07-01 09:00."""
    settings = settings_of(service, database, data, **more)
    await migrate_service(service, settings)
    async with open_tools(service, settings) as tools, service.open_work(tools) as work:
        yield Bench(service, tools, work)


def settings_of(service: Service, database: str, data: Path, **more: Any) -> Settings:
    own: dict[str, Any] = {f"database_{service.name}": database}
    return Settings(environment="development", data=data, clock="simulated", **own, **more)


@dataclass(frozen=True)
class Reader:
    """Somebody who asks the API."""

    client: httpx.AsyncClient
    token: str

    async def get(self, path: str, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
        return await self.client.get(
            path, params=params, headers={"Authorization": f"Bearer {self.token}"} | (headers or {})
        )


@dataclass(frozen=True)
class Api:
    """A service's API, and tokens for it."""

    settings: Settings
    client: httpx.AsyncClient

    def as_(self, role: Role, *, unit: str | None = None, person: str | None = None, **more: Any) -> Reader:
        return Reader(self.client, mint(self.settings, role, unit=unit, person=person, **more))


@asynccontextmanager
async def api(bench: Bench) -> AsyncIterator[Api]:
    """The API process of the service, in memory."""
    app: FastAPI = api_app([bench.service], bench.tools.settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as client,
    ):
        yield Api(bench.tools.settings, client)


def codes(answers: Sequence[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]
