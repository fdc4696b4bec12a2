"""`/livez`: does the process make progress; `/readyz`: what is missing before it can serve. Open to anybody, so neutral."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.responses import JSONResponse

_PATIENCE = 3.0


@dataclass(frozen=True, slots=True)
class Fine:
    """Nothing to say."""


@dataclass(frozen=True, slots=True)
class Degraded:
    """Work goes on, but `what` is the matter (e.g. the broker is away and the relay waits). Still 200."""

    what: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Work cannot go on: `what` is missing, with the next step. 503."""

    what: str


Condition = Fine | Degraded | Missing
Check = Callable[[], Awaitable[Condition]]


async def examine(checks: Mapping[str, Check]) -> dict[str, Condition]:
    """Run all checks at once, each for 3 seconds at most; a check that fails or hangs counts as missing."""
    return dict(zip(checks, await asyncio.gather(*(_one(check) for check in checks.values())), strict=True))


async def _one(check: Check) -> Condition:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await check()
    except TimeoutError:
        return Missing("no answer within 3 seconds")
    except Exception as error:  # its message may hold data, its kind does not
        return Missing(type(error).__name__)


def health_response(found: Mapping[str, Condition]) -> JSONResponse:
    """`{"status": "ok"|"degraded"|"missing", "checks": {name: "ok"|"degraded: ..."|"missing: ..."}}`."""
    missing = any(isinstance(condition, Missing) for condition in found.values())
    degraded = any(isinstance(condition, Degraded) for condition in found.values())
    status = "missing" if missing else "degraded" if degraded else "ok"
    body = {"status": status, "checks": {name: _say(condition) for name, condition in found.items()}}
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": "2"} if missing else {})
    return JSONResponse(body, status_code=503 if missing else 200, headers=headers)


def _say(condition: Condition) -> str:
    match condition:
        case Fine():
            return "ok"
        case Degraded(what):
            return f"degraded: {what}"
        case Missing(what):
            return f"missing: {what}"


def mount_health(app: FastAPI, live: Mapping[str, Check], ready: Mapping[str, Check]) -> None:
    """Answer `/livez` and `/readyz` from these checks. The mappings are read at each request, so they may grow."""

    @app.get("/livez", include_in_schema=False)
    async def livez() -> JSONResponse:
        return health_response(await examine(live))

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        return health_response(await examine(ready))
