"""Guards the desk's session against requests that other sites make a browser send."""

from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.catalogue import Catalogue
from chassis.identity.session import Session, Sessions
from chassis.problems import Forbidden, Problem, problem_response

HEADER = "X-CSRF-Token"
FIELD = "csrf"

_SAFE = ("GET", "HEAD", "OPTIONS")
_LARGEST_FORM = 65_536


class CsrfGuard:
    """Pure ASGI. A request with a session that is not GET, HEAD or OPTIONS must come from our own origin and carry the
    session's token: in the header X-CSRF-Token, or in the field `csrf` of an urlencoded form of at most 64 KiB.

    A request with an Authorization header is let through (a browser never adds one by itself, and it counts before the
    session), and so are paths below `exempt` (the development issuer's, which use no session).
    """

    def __init__(
        self,
        app: ASGIApp,
        sessions: Sessions,
        public_url: str,
        catalogue: Catalogue,
        exempt: tuple[str, ...] = (),
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._origin = origin_of(public_url)
        self._catalogue = catalogue
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _SAFE or self._is_exempt(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        session = None if "authorization" in headers else self._sessions.read(scope)
        if session is None:
            await self._app(scope, receive, send)
            return
        try:
            receive = await self._checked(headers, session, receive)
        except Problem as problem:
            await problem_response(self._catalogue, problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_exempt(self, path: str) -> bool:
        return any(path == start or path.startswith(start + "/") for start in self._exempt)

    async def _checked(self, headers: Headers, session: Session, receive: Receive) -> Receive:
        if not self._from_here(headers):
            raise Forbidden("csrf-origin-foreign")
        given = headers.get(HEADER)
        if (
            given is None
            and headers.get("content-type", "").split(";")[0].strip() == "application/x-www-form-urlencoded"
        ):
            body, receive = await _read_ahead(receive)
            given = parse_qs(body.decode("utf-8", "replace")).get(FIELD, [""])[0]
        if given is None or not session.csrf_matches(given):
            raise Forbidden("csrf-token-invalid")
        return receive

    def _from_here(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is not None:
            return origin == self._origin
        referer = headers.get("referer")
        if referer is not None:
            return origin_of(referer) == self._origin
        return headers.get("sec-fetch-site") == "same-origin"


def guard_sessions(app: FastAPI, sessions: Sessions, public_url: str, exempt: tuple[str, ...] = ()) -> None:
    """Put the guard around an application of `make_app`, inside its manners: a refusal is traced and logged too."""
    catalogue: Catalogue = app.state.catalogue
    guard = Middleware(CsrfGuard, sessions=sessions, public_url=public_url, catalogue=catalogue, exempt=exempt)
    app.user_middleware.append(guard)


def origin_of(url: str) -> str:
    """`https://host:port` as a browser writes it, without the port that the scheme implies; "" for what is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f":{port}")


async def _read_ahead(receive: Receive) -> tuple[bytes, Receive]:
    messages: list[Message] = []
    size = 0
    more = True
    while more:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > _LARGEST_FORM:
            raise Forbidden("csrf-token-invalid")
        more = message["type"] == "http.request" and message.get("more_body", False)

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return b"".join(message.get("body", b"") for message in messages), again
