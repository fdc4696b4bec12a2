"""Notify on a database of its own, and a receiver of webhooks that answers over a real socket as it is told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response

from services.notify.__main__ import SERVICE
from tests.support.bench import Bench, bench


@dataclass(frozen=True)
class Taken:
    """What came in one request. Header names are lower-case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """``answers`` gives the status of the n-th request (from 1); ``hold`` keeps a request waiting until it is set."""

    url: str
    answers: Callable[[int], int] = lambda n: 204
    location: str = ""
    hold: asyncio.Event | None = None
    taken: list[Taken] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    app = FastAPI()
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen()
    receiver = Receiver(f"http://127.0.0.1:{door.getsockname()[1]}/hook?key=k")

    @app.post("/{path:path}")
    async def take(request: Request, path: str) -> Response:
        receiver.taken.append(Taken(request.url.path, dict(request.headers), await request.body()))
        status = receiver.answers(len(receiver.taken))
        receiver.came.set()
        if receiver.hold is not None:
            await receiver.hold.wait()
        return Response(status_code=status, headers={"Location": receiver.location} if receiver.location else None)

    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[door]))
    try:
        yield receiver
    finally:
        if receiver.hold is not None:
            receiver.hold.set()
        server.should_exit = True
        await serving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def notify(database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """Without a webhook."""
    async with bench(SERVICE, database, tmp_path) as made:
        yield made
