"""The HTTP application of a service, with the manners that every service shares."""

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException

from chassis.catalogue import Catalogue, Texts
from chassis.manners import Manners, ObserveRequest
from chassis.problems import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    Problem,
    TooLarge,
    Translate,
    Unauthenticated,
    Unprocessable,
    UnsupportedMedia,
    problem_response,
)
from chassis.texts import TEXTS
from chassis.validation import validation_problem
from ledger.decider import Refused

MAX_BODY = 1_000_000
"""Bytes of a command's body, unless the maker of the application says otherwise."""

_KEY = re.compile(r"[\x21-\x7e]{1,128}\Z")
_POSITION = re.compile(r"([a-z][a-z0-9_-]{0,62})@(0|[1-9][0-9]{0,18})\Z")


# FastAPI's own telemetry would export query strings and exception messages, in which names may stand
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


class _MethodNotAllowed(Problem):
    status = 405


def make_app(
    title: str,
    *texts: Texts,
    conflicts: Collection[str] = (),
    translate: Mapping[type[Exception], Translate] | None = None,
    max_body: int = MAX_BODY,
    larger_bodies: Mapping[str, int] | None = None,
    observe: ObserveRequest | None = None,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[Any]] | None = None,
    **options: Any,
) -> FastAPI:
    """A FastAPI application that answers every mistake with a problem document.

    `texts` are the service's sentences, merged with the chassis's own. A decider's `Refused` becomes 422, or 409 when
    its code is in `conflicts` (the command is well, the state forbids it). `translate` maps exceptions of other layers. Where
    `app.state.refusal_page` is set, a browser that asks for a page at no address of ours gets one.
    `max_body` and `larger_bodies` are in bytes, the latter by beginning of the path. `observe` is told of every
    request. The catalogue stands in `app.state.catalogue`.
    """
    catalogue = Catalogue(TEXTS, *texts)
    app = FastAPI(title=title, lifespan=lifespan, telemetry=_NO_TELEMETRY, **options)
    app.state.catalogue = catalogue
    app.add_middleware(Manners, catalogue=catalogue, max_body=max_body, larger_bodies=larger_bodies, observe=observe)

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem_response(catalogue, error)

    async def on_refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        kind = Conflict if error.code in conflicts else Unprocessable
        problem = kind(error.code)
        problem.params = dict(error.details)
        return problem_response(catalogue, problem)

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(catalogue, validation_problem(request, error.errors()))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        page = getattr(app.state, "refusal_page", None)
        if page is not None and "text/html" in request.headers.get("accept", ""):
            problem = _from_http(error)
            said: Response = page(request, problem.status, catalogue.say(problem.code, **problem.params))
            return said
        if error.status_code == 400 and request.headers.get("content-type", "").startswith("application/json"):
            return problem_response(catalogue, BadRequest("body-not-json"))  # bytes that are not even UTF-8
        return problem_response(catalogue, _from_http(error))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(Refused, on_refused)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    for kind, to_problem in (translate or {}).items():
        app.add_exception_handler(kind, _translator(catalogue, to_problem))
    return app


def _translator(catalogue: Catalogue, to_problem: Translate) -> Callable[[Request, Exception], Any]:
    async def on_foreign(request: Request, error: Exception) -> Response:
        return problem_response(catalogue, to_problem(error))

    return on_foreign


def _from_http(error: HTTPException) -> Problem:
    headers = error.headers
    match error.status_code:
        case 401:
            return Unauthenticated("token-missing", headers={"WWW-Authenticate": "Bearer"} | dict(headers or {}))
        case 403:
            return Forbidden("request-invalid", headers=headers)
        case 404:
            return NotFound("route-not-found", headers=headers)
        case 405:
            return _MethodNotAllowed("method-not-allowed", headers=headers)
        case 413:
            most = error.detail if error.detail.isdigit() else MAX_BODY
            return TooLarge("body-too-large", most=most, headers={"Connection": "close"})
        case 415:
            return UnsupportedMedia("media-type-unsupported", headers=headers)
        case _:
            return BadRequest("request-invalid", headers=headers)


def idempotency_key(request: Request) -> str:
    """The command's Idempotency-Key; 400 `idempotency-key-missing` or `idempotency-key-malformed`."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        raise BadRequest("idempotency-key-missing")
    if len(given) > 1 or not _KEY.match(given[0]):
        raise BadRequest("idempotency-key-malformed")
    return given[0]


def parse_positions(text: str) -> dict[str, int]:
    """`registry@912, reporting@3` -> {"registry": 912, "reporting": 3}; 400 `after-malformed`."""
    positions: dict[str, int] = {}
    for part in text.split(","):
        match = _POSITION.match(part.strip())
        if match is None or match[1] in positions or int(match[2]) >= 2**63:
            raise BadRequest("after-malformed")
        positions[match[1]] = int(match[2])
    return positions


def after(request: Request) -> dict[str, int]:
    """The positions that the caller has to see first, from the header After; empty without it. 400 `after-malformed`."""
    given = request.headers.getlist("after")
    return parse_positions(",".join(given)) if given else {}


def format_positions(positions: Mapping[str, int]) -> str:
    """{"registry": 913} -> `registry@913`, the value of the headers Position and After."""
    return ",".join(f"{service}@{position}" for service, position in sorted(positions.items()))


def receipt(response: Response, service: str, position: int) -> None:
    """Say in the answer of a command how far the ledger has to be read to see it: `Position: registry@913`."""
    response.headers["Position"] = format_positions({service: position})


MOST_PER_PAGE = 200


# A coroutine though it waits for nothing: what is none, FastAPI hands to a thread and back.
async def page_size(
    limit: Annotated[int, Query(description=f"items per page, 1 to {MOST_PER_PAGE}")] = 50,
) -> int:
    """The page size from `?limit=`; 422 `page-size-out-of-range`."""
    if not 1 <= limit <= MOST_PER_PAGE:
        raise Unprocessable("page-size-out-of-range", most=MOST_PER_PAGE)
    return limit


PageSize = Annotated[int, Depends(page_size)]
