"""The desk's login: OpenID Connect authorization code flow with PKCE (RFC 7636), state and nonce, into a session."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import structlog
from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from chassis.catalogue import Catalogue
from chassis.identity.provider import Provider
from chassis.identity.session import CookieBox, Session, Sessions
from chassis.identity.tokens import Verifier
from chassis.problems import BadRequest, Problem, Unauthenticated, Unavailable, problem_response

log = structlog.get_logger("login")

LOGIN, CALLBACK, LOGOUT = "/login", "/login/callback", "/logout"

_MINUTES_TO_LOG_IN = 10
_PATIENCE = 10.0


class LoginNeeded(Exception):
    """Raised where a page needs a session and there is none; the browser is sent to the login and comes back."""


class DeskLogin:
    """The desk as a client of a provider. `verifier` checks ID tokens: its audience is the desk's client id."""

    def __init__(
        self,
        provider: Provider,
        verifier: Verifier,
        sessions: Sessions,
        http: httpx.AsyncClient,
        *,
        public_url: str,
        session_key: bytes,
        client_secret: str | None = None,
    ) -> None:
        self._provider = provider
        self._verifier = verifier
        self.sessions = sessions
        self._http = http
        self._client = verifier.audience
        self._secret = client_secret
        self.public_url = public_url.rstrip("/")
        self._under_way = CookieBox(session_key, "login", public_url)

    async def begin(self, wanted: str) -> Response:
        """To the provider; `wanted` is where the person was going, and only a path of this site counts."""
        endpoints = await self._provider.endpoints()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._client,
                "redirect_uri": self.public_url + CALLBACK,
                "scope": "openid profile",
                "state": state,
                "nonce": nonce,
                "code_challenge": challenge_of(verifier),
                "code_challenge_method": "S256",
            }
        )
        joint = "&" if urlsplit(endpoints.authorization).query else "?"
        response = RedirectResponse(endpoints.authorization + joint + query, status_code=302)
        # where the person was going stays in the encrypted cookie: its query may hold a name
        content = {"state": state, "nonce": nonce, "verifier": verifier, "next": safe_path(wanted)}
        self._under_way.put(response, content, _MINUTES_TO_LOG_IN * 60)
        return _private(response)

    async def finish(self, request: Request) -> Response:
        """Back from the provider: check all that came, and open the session."""
        began = self._under_way.take(request.scope)
        given = request.query_params
        if began is None or not hmac.compare_digest(str(began["state"]).encode(), given.get("state", "").encode()):
            raise BadRequest("login-state-mismatch")
        if given.get("iss", self._provider.issuer) != self._provider.issuer:  # RFC 9207
            raise BadRequest("login-state-mismatch")
        if "error" in given or not given.get("code"):
            reason = given.get("error", "no code")
            raise Unauthenticated("login-refused", reason=reason if re.fullmatch(r"[a-z_ ]{1,40}", reason) else "error")
        claims = await self._verifier.claims(await self._exchange(given["code"], str(began["verifier"])))
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), str(began["nonce"]).encode()):
            raise BadRequest("login-state-mismatch")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client) != self._client:
            raise Unauthenticated("token-audience-foreign")
        response = RedirectResponse(safe_path(str(began["next"])), status_code=303)
        self.sessions.open(response, self._verifier.principal_of(claims))
        self._under_way.drop(response)
        return _private(response)

    async def leave(self) -> Response:
        """End the session here, and at the provider where it offers that."""
        target = "/"
        try:
            end_session = (await self._provider.endpoints()).end_session
        except Unavailable:
            end_session = None
        if end_session:
            query = urlencode({"client_id": self._client, "post_logout_redirect_uri": self.public_url + "/"})
            target = end_session + ("&" if urlsplit(end_session).query else "?") + query
        response = RedirectResponse(target, status_code=303)
        self.sessions.close(response)
        return _private(response)

    async def _exchange(self, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.public_url + CALLBACK,
            "code_verifier": verifier,
            "client_id": self._client,
        }
        # RFC 6749 §2.3.1: both halves are form-encoded before they are joined
        basic = (
            httpx.BasicAuth(quote(self._client, safe=""), quote(self._secret, safe=""))
            if self._secret
            else httpx.Auth()
        )
        try:
            answer = await self._http.post(
                (await self._provider.endpoints()).token,
                data=form,
                auth=basic,
                headers={"Accept": "application/json"},
                timeout=_PATIENCE,
            )
            document: Mapping[str, Any] = answer.json()
        except httpx.HTTPError:
            raise Unavailable("identity-provider-unreachable", headers={"Retry-After": "5"}) from None
        except ValueError:
            raise Unauthenticated("login-refused", reason="no JSON") from None
        token = document.get("id_token") if isinstance(document, dict) and answer.status_code == 200 else None
        if not isinstance(token, str):
            log.warning("code-not-exchanged", status=answer.status_code)
            raise Unauthenticated("login-refused", reason="no ID token")
        return token


def challenge_of(verifier: str) -> str:
    """The S256 code challenge of a PKCE verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def safe_path(wanted: str) -> str:
    """The path (and query) on this site that was wanted, or `/` for whatever could lead a browser elsewhere."""
    if not re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,1500}", wanted):
        return "/"
    path = urlsplit(wanted).path
    return "/" if path.startswith("//") or path in (LOGIN, CALLBACK, LOGOUT) else wanted


async def current_session(request: Request) -> Session:
    """Dependency of a page: the session, else LoginNeeded."""
    session: Session | None = request.app.state.access.sessions.read(request.scope)
    if session is None:
        raise LoginNeeded
    return session


def mount_login(app: FastAPI, login: DeskLogin) -> None:
    """Add `/login`, `/login/callback`, `/logout` and the answer to LoginNeeded. CsrfGuard is added apart, around all."""
    catalogue: Catalogue = app.state.catalogue

    @app.get(LOGIN, include_in_schema=False)
    async def log_in(request: Request, next: str = "/") -> Response:
        if request.headers.get("host", "") != urlsplit(login.public_url).netloc:
            # cookies belong to one host: begin on the one to which the provider will send the browser back
            return _private(RedirectResponse(f"{login.public_url}{LOGIN}?{urlencode({'next': safe_path(next)})}"))
        return await _or_page(catalogue, login.begin(next))

    @app.get(CALLBACK, include_in_schema=False)
    async def called_back(request: Request) -> Response:
        return await _or_page(catalogue, login.finish(request))

    @app.post(LOGOUT, include_in_schema=False)
    async def log_out(request: Request) -> Response:
        return await login.leave()

    async def needed(request: Request, error: Exception) -> Response:
        if request.headers.get("hx-request") == "true":
            page = urlsplit(request.headers.get("hx-current-url", "/")).path
            return Response(status_code=401, headers={"HX-Redirect": f"{LOGIN}?{urlencode({'next': safe_path(page)})}"})
        accepts = request.headers.get("accept", "*/*")
        if request.method != "GET" or not ("text/html" in accepts or "*/*" in accepts):
            return problem_response(catalogue, Unauthenticated("token-missing"))
        if request.headers.get("host", "") != urlsplit(login.public_url).netloc:
            return _private(RedirectResponse(login.public_url + safe_path(request.url.path)))
        query = f"?{request.url.query}" if request.url.query else ""
        return await _or_page(catalogue, login.begin(request.url.path + query))

    app.add_exception_handler(LoginNeeded, needed)


async def _or_page(catalogue: Catalogue, answer: Any) -> Response:
    try:
        response: Response = await answer
    except Problem as problem:
        said = catalogue.say(problem.code, **problem.params)
        page = (
            '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{escape(said.title_zh)}</title><h1>{escape(said.title_zh)}</h1><p>{escape(said.zh)}</p>"
            f'<p lang="en">{escape(said.en)}</p><p><a href="{LOGIN}">重新登录 Log in again</a></p></html>'
        )
        return _private(HTMLResponse(page, status_code=problem.status))
    return response


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
