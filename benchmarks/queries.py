"""What a reader waits for: one posting of the roster, a page of 50, the figures of a half-year; over HTTP, beside a bare
ASGI answer by the same server, and beside the same statements by pgbench."""

import asyncio
import re
from collections.abc import AsyncGenerator
from datetime import date, datetime
from typing import Any

import httpx
from sqlalchemy import event

from benchmarks import pgbench
from benchmarks.bare import bare
from benchmarks.district import District
from benchmarks.lab import Lab
from benchmarks.load import get, load
from benchmarks.projection import project_all
from benchmarks.published import published
from benchmarks.rows import Goal, Round, Row
from benchmarks.running import Running, install, running
from chassis.api_process import api_app
from command.services import service

CLIENTS = 8
ONE = Row("roster, one posting, 8 clients", "a bare ASGI answer", "answers/s", Goal(0.6))
PAGE = Row("roster, a page of 50, 8 clients", "pgbench, the same statements", "answers/s", Goal(0.5))
FIGURES = Row("figures of a half-year, p50", "", "ms", Goal(None, 50, own=True))
PATHS = {"one": "/api/query/roster/P17", "page": "/api/query/roster?limit=50", "figures": "/api/query/situation/2026H1"}


async def measure(lab: Lab) -> AsyncGenerator[Round]:
    district = District(postings=lab.size(5_000, 500))
    async with published(lab, district) as there:
        _, dsn = await project_all(lab, there)
    place = await install(lab, ["projection"], {"projection": dsn})
    seconds = lab.seconds(4)
    async with running(place, "api") as api, bare(lab, "asgi") as other:
        script = lab.folder / "page.sql"
        script.write_text(await _statements(api, PATHS["page"]))
        for what in PATHS:  # connections are made, statements prepared
            await _asked(api, what, CLIENTS, seconds / 4)
        for _ in range(lab.rounds):
            one = await _asked(api, "one", CLIENTS, seconds)
            yield Round(ONE, one, (await load(other, lambda: get("/"), connections=CLIENTS, seconds=seconds)).rate)
            page = await _asked(api, "page", CLIENTS, seconds)
            peer = await pgbench.rate(dsn, script, clients=CLIENTS, seconds=seconds, protocol="simple")
            yield Round(PAGE, page, peer, "" if peer is not None else pgbench.MISSING)
            figures = await load(api.port, lambda: get(PATHS["figures"], api.token), connections=1, seconds=seconds / 2)
            yield Round(FIGURES, figures.ms(0.5))


async def _asked(api: Running, what: str, clients: int, seconds: float) -> float:
    return (await load(api.port, lambda: get(PATHS[what], api.token), connections=clients, seconds=seconds)).rate


async def _statements(api: Running, path: str) -> str:
    """What the API asks the database for one answer, as a script for pgbench: listened to in a process of our own."""
    app = api_app([service("projection")], api.settings.model_copy(update={"public_url": api.url}))
    heard: list[str] = []
    async with app.router.lifespan_context(app):
        engine = app.state.projection.engine

        @event.listens_for(engine.sync_engine, "before_cursor_execute")
        def _hear(_: Any, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
            heard.append(written(statement, parameters or ()))

        def _hear_driver(query: Any) -> None:
            heard.append(written(query.query, query.args or ()))

        @event.listens_for(engine.sync_engine, "checkout")
        def _listen(connection: Any, *more: Any) -> None:
            connection.driver_connection.add_query_logger(_hear_driver)  # what SQLAlchemy asks it does not hear

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=api.url) as client:
            for _ in range(2):
                await asyncio.sleep(0)  # the driver tells a turn later
                heard.clear()
                answer = await client.get(path, headers={"Authorization": f"Bearer {api.token}"})
                answer.raise_for_status()
            await asyncio.sleep(0)
    return "\n".join([*heard, ""])


def written(statement: str, parameters: Any) -> str:
    """The statement on one line, with its values in their places."""
    values = [_literal(value) for value in parameters]
    filled = re.sub(r"\$(\d+)", lambda found: values[int(found[1]) - 1], statement)
    return " ".join(filled.split()) + ";"


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int() | float():
            return str(value)
        case date() | datetime():
            return f"'{value.isoformat()}'"
        case list() | tuple():
            return "ARRAY[" + ", ".join(_literal(one) for one in value) + "]::text[]"
        case _:
            return "'" + str(value).replace("'", "''") + "'"
