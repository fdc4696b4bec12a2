"""The process that answers over HTTP: one application for one service or for all of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text
from starlette.routing import BaseRoute

from chassis.described import describe
from chassis.health import Check, Condition, Degraded, Fine, mount_health
from chassis.http import make_app
from chassis.identity.access import set_access
from chassis.identity.csrf import guard_sessions
from chassis.identity.demo_people import DemoPerson, demo_people
from chassis.identity.development import PATH as ISSUER
from chassis.identity.development import DevelopmentIssuer
from chassis.identity.login import mount_login
from chassis.identity.wiring import access_of, login_of
from chassis.metrics import Disk, Metrics
from chassis.problems import Conflict, Unavailable, Unprocessable
from chassis.problems_page import mount_problems
from chassis.service import Service, Tools
from chassis.settings import Settings
from chassis.tools import check_service, open_tools
from ledger.append import ClaimTaken, KeyReused, VersionConflict
from ledger.append import Unavailable as LedgerAway
from ledger.migrate import SchemaNewer

DESCRIPTION = "下派干部督导:派驻、汇报、考核、提醒与督导台的接口。Seconded cadres: commands, queries and the desk."


def api_app(
    services: Sequence[Service],
    settings: Settings,
    documented: Sequence[Service] = (),
    people: Sequence[DemoPerson] = (),
) -> FastAPI:
    """The application of ``services``. ``/docs`` describes ``documented`` too, so that one address tells all; ``people``
    are who can log in at the development issuer."""
    conditions: dict[str, Any] = {}
    metrics = Metrics()
    metrics.add(Disk(settings.data))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(http.aclose)
            for service in services:
                tools = await stack.enter_async_context(open_tools(service, settings, metrics))
                metrics.databases.add(service.name, tools.engine, service.measures)
                setattr(app.state, service.name, await stack.enter_async_context(service.open_api(tools)))
                conditions[f"database-{service.name}"] = _reachable(service, tools)
            yield

    app = make_app(
        "下派 xiapai",
        *(service.texts for service in services),
        conflicts=frozenset().union(*(service.conflicts for service in services)),
        translate={
            ClaimTaken: lambda error: Conflict(f"{getattr(error, 'kind', 'claim')}-taken"),
            VersionConflict: lambda error: Conflict("version-conflict"),
            KeyReused: lambda error: Unprocessable("idempotency-key-reused"),
            LedgerAway: lambda error: Unavailable("database-away", headers={"Retry-After": "2"}),
        },
        larger_bodies={start: size for service in services for start, size in service.larger_bodies.items()},
        observe=metrics.request,
        lifespan=lifespan,
        description=DESCRIPTION,
        docs_url=None,  # its page would fetch the viewer from another address; the desk has one of its own
        redoc_url=None,
    )
    mount_problems(app, app.state.catalogue)
    app.router.routes += _routes(services)
    own_issuer = settings.development and settings.oidc_issuer is None
    # Our own issuer is asked in memory: its public address need not be reachable from here.
    http = httpx.AsyncClient(timeout=10, transport=httpx.ASGITransport(app) if own_issuer else None)
    # A session that the desk opened counts at every API: its pages ask them from the browser.
    access = access_of(settings, http)
    set_access(app, access)
    guard_sessions(app, access.sessions, settings.public_url, exempt=(ISSUER,))
    for service in services:
        if service.refusal_page is not None:
            mount_login(app, login_of(settings, http, access.sessions))
            app.state.refusal_page = service.refusal_page
    if own_issuer:
        app.mount(ISSUER, DevelopmentIssuer(settings, people or demo_people()).app)
    mount_health(app, live={"loop": _fine}, ready=conditions)
    app.add_route("/metrics", metrics.endpoint)
    _document(app, [*services, *(other for other in documented if other not in services)])
    return app


def _document(app: FastAPI, services: Sequence[Service]) -> None:
    """Describe every service's routes, also those that another process answers."""
    whole = FastAPI(title=app.title, description=DESCRIPTION)
    routes = _routes(services)
    whole.router.routes += routes
    app.openapi = cache(lambda: describe(whole.openapi(), routes))  # type: ignore[method-assign]


def _routes(services: Sequence[Service]) -> list[BaseRoute]:
    """Side by side: of routers within routers FastAPI asks each which of its routes it is, once for every level more, which
    took a command 20 us of 310."""
    return [route for service in services for router in service.routers for route in router.routes]


async def _fine() -> Condition:
    return Fine()


def _reachable(service: Service, tools: Tools) -> Check:
    async def check() -> Condition:
        async with tools.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        try:
            await check_service(service, tools.engine)
        except SchemaNewer:
            return Degraded("the database is a newer program's already: replace this process")
        # A full disk lets questions through, and no commands.
        trouble = tools.desk.appender.trouble
        return Degraded(f"the last command found: {trouble}") if trouble else Fine()

    return check
