"""How a page is made: its template, its headers, and what it says where something is refused."""

from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from typing import Any

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from chassis.catalogue import Catalogue, Sentence
from chassis.identity.csrf import origin_of
from chassis.identity.login import LoginNeeded
from chassis.identity.principal import ROLE_NAMES
from chassis.identity.session import Session
from chassis.problems import Problem
from ledger.tracing import trace_id
from services.projection.desk import say, static
from services.projection.desk.texts import en, zh

log = structlog.get_logger("desk")

HEADERS: Mapping[str, str] = {
    # no-store: what stands on a page is personal, and the machines of an office are shared
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Vary": "Cookie, HX-Request",
}


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("services.projection.desk"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals |= {
        "zh": zh,
        "en": en,
        "static": static.address,
        "roles": ROLE_NAMES,
        "filled": say.filled,
        "figure_number": say.figure_number,
    }
    templates.filters |= {
        "day": say.day,
        "moment": say.moment,
        "number": say.number,
        "percent": say.percent,
        "event": say.event,
    }
    return templates


def render(name: str, **values: Any) -> str:
    """A template filled in."""
    return _templates().get_template(name).render(**values)


def page(request: Request, session: Session | None, name: str, *, status: int = 200, **values: Any) -> Response:
    """A whole page, or a part of one where htmx asks for it (the template looks at ``part``)."""
    part = request.headers.get("hx-request") == "true"
    html = render(name, session=session, path=request.url.path, part=part, **values)
    headers = {**HEADERS, "Content-Security-Policy": _policy(request)}
    return HTMLResponse(html, status_code=status, headers=headers)


def _policy(request: Request) -> str:
    """Everything from this address alone, nothing inline. Logging out leads on to the identity provider, and browsers
    hold the form's redirect against ``form-action`` too."""
    provider = origin_of(request.app.state.access.verifier.issuer)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action 'self' {provider}; base-uri 'none'; frame-ancestors 'none'"
    )


class DeskRoute(APIRoute):
    """A route whose refusals are pages for people, in the same words as the API's."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            catalogue: Catalogue = request.app.state.catalogue
            try:
                return await answer(request)
            except LoginNeeded:
                raise
            except Problem as problem:
                said = catalogue.say(problem.code, **problem.params)
                return refusal(request, problem.status, said, problem.headers)
            except RequestValidationError:
                return refusal(request, 422, catalogue.say("desk-address-wrong"))
            except HTTPException as error:
                code = {404: "not-found", 403: "request-invalid"}.get(error.status_code, "request-invalid")
                return refusal(request, error.status_code, catalogue.say(code))
            except Exception:
                log.exception("page-failed", route=self.path)
                return refusal(request, 500, catalogue.say("desk-failed"))

        return answered


def refusal(request: Request, status: int, said: Sentence, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal as a page for people."""
    session: Session | None = request.app.state.access.sessions.read(request.scope)
    response = page(request, session, "refusal.html", status=status, said=said, code=status, trace=trace_id())
    response.headers.update(headers or {})
    return response
