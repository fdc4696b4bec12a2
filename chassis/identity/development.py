"""The development issuer: an OpenID Connect provider with a page of demo people, for one machine.

It refuses to be made outside development: whoever reaches it may be anybody. Its key is made once in the data folder.
"""

import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis.identity.demo_people import DemoPerson, custom_person
from chassis.identity.development_page import choice_page, mistake_page
from chassis.identity.login import CALLBACK, challenge_of
from chassis.identity.principal import Role
from chassis.identity.signer import Signer
from chassis.settings import Settings
from chassis.settings_sources import SettingsMistake

PATH = "/dev-issuer"
"""Where it is mounted below the public address."""

_CODE_SECONDS = 60
_TOKEN_SECONDS = 12 * 3600
_ASKED = (
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


def issuer_address(settings: Settings) -> str:
    """The `iss` of the development issuer's tokens."""
    return settings.public_url.rstrip("/") + PATH


def development_signer(settings: Settings) -> Signer:
    """Signs tokens of the development issuer with the data folder's key. SettingsMistake outside development."""
    _only_in_development(settings)
    if settings.data is None:
        raise SettingsMistake("XIAPAI_DATA is not set; name the data folder that keeps the development issuer's key")
    return Signer.open(settings.data / "development-issuer-key.json", issuer_address(settings))


def mint(
    settings: Settings,
    role: Role,
    *,
    unit: str | None = None,
    categories: Sequence[str] = (),
    person: str | None = None,
    seconds: int = _TOKEN_SECONDS,
) -> str:
    """A bearer token for the command line: one role and its scope. SettingsMistake outside development, and for a role
    without the scope that it needs, whose token would be refused everywhere."""
    needs = {
        Role.CLERK: (unit, "--unit CODE"),
        Role.LEADER: (unit, "--unit CODE"),
        Role.DEPARTMENT: (categories, "--category CATEGORY"),
        Role.CADRE: (person, "--person NUMBER"),
    }
    given, option = needs.get(role, (True, ""))
    if not given:
        raise SettingsMistake(f"a {role.value} sees a scope of its own: say which with {option}")
    who = custom_person(role, unit=unit, categories=categories, person=person)
    return development_signer(settings).token(who.claims(), settings.oidc_audience, seconds)


@dataclass(frozen=True, slots=True)
class _Promise:
    """What a code stands for."""

    who: DemoPerson
    client: str
    redirect_uri: str
    challenge: str
    nonce: str | None
    ends: float


class DevelopmentIssuer:
    """`app` is mounted at `PATH`. `people` may be replaced while it runs, when the demo's units are known."""

    def __init__(
        self,
        settings: Settings,
        people: Sequence[DemoPerson],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.signer = development_signer(settings)
        self.people = list(people)
        self._issuer = issuer_address(settings)
        self._audience = settings.oidc_audience
        self._client = settings.oidc_client_id
        self._home = settings.public_url.rstrip("/") + "/"
        self._redirect_uri = settings.public_url.rstrip("/") + CALLBACK
        self._now = now
        self._codes: dict[str, _Promise] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/jwks.json", self._jwks),
                Route("/authorize", self._authorize, methods=["GET"]),
                Route("/authorize", self._chosen, methods=["POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/logout", self._logout),
            ]
        )

    async def _discovery(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self._issuer,
                "authorization_endpoint": f"{self._issuer}/authorize",
                "token_endpoint": f"{self._issuer}/token",
                "jwks_uri": f"{self._issuer}/jwks.json",
                "end_session_endpoint": f"{self._issuer}/logout",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _jwks(self, request: Request) -> Response:
        return JSONResponse({"keys": [self.signer.public_jwk()]})

    async def _authorize(self, request: Request) -> Response:
        asked = {name: request.query_params[name] for name in _ASKED if name in request.query_params}
        return self._refusal(asked) or HTMLResponse(choice_page(self.people, asked), headers=_PAGE)

    async def _chosen(self, request: Request) -> Response:
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        asked = {name: form[name] for name in _ASKED if name in form}
        refusal = self._refusal(asked)
        if refusal is not None:
            return refusal
        try:
            who = self._who(form)
        except ValueError as mistake:
            return HTMLResponse(mistake_page(str(mistake)), status_code=400, headers=_PAGE)
        code = secrets.token_urlsafe(32)
        ends = self._now() + _CODE_SECONDS
        self._codes = {c: promise for c, promise in self._codes.items() if promise.ends > self._now()}
        self._codes[code] = _Promise(
            who, asked["client_id"], asked["redirect_uri"], asked["code_challenge"], asked.get("nonce"), ends
        )
        return self._back(asked, {"code": code})

    def _who(self, form: Mapping[str, str]) -> DemoPerson:
        if "subject" in form:
            found = next((one for one in self.people if one.subject == form["subject"]), None)
            if found is None:
                raise ValueError(
                    "没有这位演示人员,请返回重新选择。 There is no such demo person; go back and choose again."
                )
            return found
        if form.get("role") not in [role.value for role in Role]:
            raise ValueError("没有这个角色,请返回重新选择。 There is no such role; go back and choose again.")
        return custom_person(
            Role(form["role"]),
            unit=form.get("unit", "").strip() or None,
            categories=form.get("categories", "").replace(",", " ").split(),
            person=form.get("person", "").strip() or None,
        )

    def _refusal(self, asked: Mapping[str, str]) -> Response | None:
        if asked.get("client_id") != self._client or asked.get("redirect_uri") != self._redirect_uri:
            # an unknown address is never followed: that would be an open redirect
            text = "客户端或返回地址不对,请从督导台登录。 Unknown client or redirect_uri; log in from the desk."
            return HTMLResponse(mistake_page(text), status_code=400, headers=_PAGE)
        if asked.get("response_type") != "code":
            return self._back(asked, {"error": "unsupported_response_type"})
        if "openid" not in asked.get("scope", "").split():
            return self._back(asked, {"error": "invalid_scope"})
        if asked.get("code_challenge_method") != "S256" or not _CHALLENGE.match(asked.get("code_challenge", "")):
            return self._back(asked, {"error": "invalid_request"})
        return None

    def _back(self, asked: Mapping[str, str], answer: dict[str, str]) -> Response:
        answer["iss"] = self._issuer
        if "state" in asked:
            answer["state"] = asked["state"]
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", status_code=303, headers=_NO_STORE)

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        promise = self._codes.pop(str(form.get("code", "")), None)
        verifier = str(form.get("code_verifier", ""))
        if form.get("grant_type") != "authorization_code":
            return _oauth_error("unsupported_grant_type")
        if (
            promise is None
            or promise.ends <= self._now()
            or form.get("client_id") != promise.client
            or form.get("redirect_uri") != promise.redirect_uri
            or not _VERIFIER.match(verifier)
            or not hmac.compare_digest(challenge_of(verifier), promise.challenge)
        ):
            return _oauth_error("invalid_grant")
        claims = promise.who.claims()
        identity = claims | ({"nonce": promise.nonce} if promise.nonce else {})
        return JSONResponse(
            {
                "access_token": self.signer.token(claims, self._audience, _TOKEN_SECONDS),
                "id_token": self.signer.token(identity, promise.client, _CODE_SECONDS * 5),
                "token_type": "Bearer",
                "expires_in": _TOKEN_SECONDS,
            },
            headers=_NO_STORE,
        )

    async def _logout(self, request: Request) -> Response:
        return RedirectResponse(self._home, status_code=303)


_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_PAGE = _NO_STORE | {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}


def _oauth_error(code: str) -> Response:
    body: dict[str, Any] = {"error": code}
    return JSONResponse(body, status_code=400, headers=_NO_STORE)


def _only_in_development(settings: Settings) -> None:
    if not settings.development:
        raise SettingsMistake(
            "the development issuer does not run in production; set XIAPAI_OIDC_ISSUER to your identity provider"
        )
