"""Sessions of the desk: an encrypted, authenticated cookie (JWE, RFC 7516), nothing kept on the server."""

import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from chassis.identity.principal import Principal, Role
from chassis.keys import derive

_HEADER = {"alg": "dir", "enc": "A256GCM"}
_ALGORITHMS = ["dir", "A256GCM"]


class CookieBox:
    """Cookies of one purpose that only this system can read or make; each says when it ends."""

    def __init__(self, secret: bytes, purpose: str, public_url: str, now: Callable[[], float] = time.time) -> None:
        self._key = OctKey.import_key(derive(secret, f"cookie {purpose}"))
        self.secure = urlsplit(public_url).scheme == "https"
        self.name = f"{'__Host-' if self.secure else ''}xiapai-{purpose}"
        self._now = now

    def put(self, response: Response, content: dict[str, Any], seconds: int) -> None:
        """Set the cookie for so long. SameSite=Lax: the way back from the identity provider must carry it."""
        payload = json.dumps(content | {"exp": int(self._now()) + seconds}, ensure_ascii=False)
        value = jwe.encrypt_compact(_HEADER, payload, self._key, algorithms=_ALGORITHMS)
        response.set_cookie(
            self.name, value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def take(self, scope: Scope) -> dict[str, Any] | None:
        """The content of a request's cookie; None when there is none, it has ended or is not ours."""
        value = cookie_parser(Headers(scope=scope).get("cookie", "")).get(self.name)
        if not value:
            return None
        try:
            plain = jwe.decrypt_compact(value, self._key, algorithms=_ALGORITHMS).plaintext
            content = json.loads(plain or b"null")
        except (JoseError, ValueError):
            return None
        if not isinstance(content, dict) or not isinstance(content.get("exp"), int) or content["exp"] <= self._now():
            return None
        return content

    def drop(self, response: Response) -> None:
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="lax")


@dataclass(frozen=True, slots=True)
class Session:
    """A person logged in at the desk; `csrf` goes into the page and comes back with every change."""

    principal: Principal
    csrf: str

    def csrf_matches(self, given: str) -> bool:
        return hmac.compare_digest(self.csrf.encode(), given.encode())


class Sessions:
    """Opens, reads and closes sessions. They end `hours` after the login, whatever happens in between."""

    def __init__(self, secret: bytes, public_url: str, hours: float = 8, now: Callable[[], float] = time.time) -> None:
        self._box = CookieBox(secret, "session", public_url, now)
        self._seconds = int(hours * 3600)

    def open(self, response: Response, who: Principal) -> Session:
        session = Session(who, secrets.token_urlsafe(24))
        content = {
            "sub": who.subject,
            "role": who.role.value,
            "unit": who.unit,
            "categories": sorted(who.categories),
            "person": who.person,
            "name": who.name_for_display,
            "csrf": session.csrf,
        }
        self._box.put(response, content, self._seconds)
        return session

    def read(self, scope: Scope) -> Session | None:
        """The session of a request (its ASGI scope), or None."""
        content = self._box.take(scope)
        if content is None:
            return None
        try:
            who = Principal(
                subject=content["sub"],
                role=Role(content["role"]),
                unit=content["unit"],
                categories=frozenset(content["categories"]),
                person=content["person"],
                name_for_display=content["name"],
            )
            return Session(who, content["csrf"])
        except (KeyError, ValueError):  # of an older version of this code: log in again
            return None

    def close(self, response: Response) -> None:
        self._box.drop(response)
