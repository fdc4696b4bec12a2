"""The outermost ASGI layer of every API: trace, body limit, access log, and an answer when something unexpected fails."""

import time
from collections.abc import Callable, Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.catalogue import Catalogue
from chassis.problems import NotFound, Problem, TooLarge, Unavailable, problem_response
from ledger.tracing import Attributes, continue_trace, note, trace_id
from ledger.trouble import is_trouble

log = structlog.get_logger("http")

ObserveRequest = Callable[[str, str, int, float], None]

_QUIET = ("/livez", "/readyz", "/metrics")


class _Unexpected(Problem):
    status = 500


class Manners:
    """Pure ASGI, one frame per request.

    `max_body` is in bytes; `larger_bodies` gives other limits for paths that begin so (uploads). The access log holds
    no query string and no raw path: names and identifiers may stand there, so it says the route's template. ``observe``
    is told of the same requests: method, template, status (0: the caller left before an answer), seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        catalogue: Catalogue,
        max_body: int,
        larger_bodies: Mapping[str, int] | None = None,
        observe: ObserveRequest | None = None,
    ) -> None:
        self._app = app
        self._catalogue = catalogue
        self._max_body = max_body
        self._larger = dict(larger_bodies or {})
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        quiet = scope["path"] in _QUIET
        came = headers.get("traceparent")
        with continue_trace(came, f"http {scope['method']}", "server", spans=not quiet) as traceparent:
            exchange = _Exchange(receive, send, self._limit(scope["path"]), traceparent)
            began = time.perf_counter()
            try:
                if exchange.announced_too_large(headers):
                    refusal = problem_response(self._catalogue, TooLarge("body-too-large", most=exchange.limit))
                    refusal.headers["Connection"] = "close"
                    await refusal(scope, receive, exchange.send)
                elif "\x00" in scope["path"]:  # PostgreSQL's text cannot hold it, so nothing bears such a name
                    await problem_response(self._catalogue, NotFound("not-found"))(scope, receive, exchange.send)
                else:
                    await self._app(scope, exchange.receive, exchange.send)
            except Exception as error:
                problem: Problem
                if is_trouble(error):
                    log.warning("request-without-database", method=scope["method"], route=_route(scope))
                    problem = Unavailable("database-away", headers={"Retry-After": "2"})
                else:
                    log.exception("request-failed", method=scope["method"], route=_route(scope))
                    problem = _Unexpected("unexpected", trace=trace_id())
                if exchange.status:
                    raise
                await problem_response(self._catalogue, problem)(scope, receive, exchange.send)
            finally:
                if not quiet:
                    seconds, route = time.perf_counter() - began, _route(scope)
                    ms = round(seconds * 1000, 1)
                    _tell(scope["method"], route, exchange.status)
                    log.info("request", method=scope["method"], route=route, status=exchange.status, ms=ms)
                    if self._observe is not None:
                        self._observe(scope["method"], route, exchange.status, seconds)

    def _limit(self, path: str) -> int:
        return next((most for start, most in self._larger.items() if path.startswith(start)), self._max_body)


class _Exchange:
    """One request and its answer under way: counts the body, remembers the status, adds the trace to the answer."""

    def __init__(self, receive: Receive, send: Send, limit: int, traceparent: str) -> None:
        self._receive = receive
        self._send = send
        self.limit = limit
        self._traceparent = traceparent
        self._read = 0
        self.status = 0

    def announced_too_large(self, headers: Headers) -> bool:
        length = headers.get("content-length", "")
        return length.isascii() and length.isdigit() and int(length[:20]) > self.limit

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            if self._read > self.limit:
                raise HTTPException(413, detail=str(self.limit))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["traceparent"] = self._traceparent
        await self._send(message)


def _tell(method: str, route: str, status: int) -> None:
    said: Attributes = {"http.request.method": method, "http.route": route, "http.response.status_code": status}
    note(said, name=f"{method} {route}", failed=status >= 500)


def _route(scope: Scope) -> str:
    """`/postings/{posting}`, the template of the route that answered; `-` where none did."""
    template = getattr(scope.get("route"), "path", None)
    return f"{scope.get('root_path', '')}{template}" if template else "-"
