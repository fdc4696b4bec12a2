"""Bearer tokens: signed JWTs (RFC 7519, RFC 8725), verified against the issuer's public keys, on real time."""

import base64
import binascii
import json
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
    SecurityWarning,
)
from joserfc.jwt import JWTClaimsRegistry

from chassis.identity.principal import ClaimNames, Principal, principal_from
from chassis.identity.provider import Keys
from chassis.problems import Unauthenticated

_FITS = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP"}
"""Allowed algorithms and the kind of key each takes; `none` and the symmetric ones are not among them."""
ALGORITHMS = tuple(_FITS)

_LEEWAY = 30
_REMEMBERED = 1_000
_LONGEST = 16_384
_TYPES = ("jwt", "at+jwt", "application/at+jwt")


@dataclass(frozen=True, slots=True)
class _Verified:
    """What a good token says, and the key by which its signature held."""

    claims: dict[str, Any]
    kid: str | None
    key: Any
    who: Principal


class Verifier:
    """Checks tokens of one issuer for one audience. `now` gives Unix seconds (real time, also where the programme's
    clock is simulated); a difference of 30 seconds between the clocks is tolerated."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: Keys,
        names: ClaimNames | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self._keys = keys
        self._names = names or ClaimNames()
        self._registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        self._checks = JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._good: OrderedDict[str, _Verified] = OrderedDict()

    async def principal(self, token: str) -> Principal:
        """Who bears the token. Unauthenticated (401 `token-...`) for everything but a good one.

        A good token is remembered, since a signature takes 155 to 270 µs and this 8. It counts again only while the
        issuer still has that very key, and its claims are checked anew, the times among them.
        """
        try:
            good = self._good.get(token)
            if good is not None and await self._keys.find(good.kid) is good.key:
                self._check(good.claims)
                return good.who
            good = await self._verify(token)
            if len(self._good) >= _REMEMBERED:
                self._good.popitem(last=False)
            self._good[token] = good
            return good.who
        except Unauthenticated as refusal:
            refusal.headers.setdefault("WWW-Authenticate", 'Bearer realm="xiapai", error="invalid_token"')
            raise

    def principal_of(self, claims: Mapping[str, Any]) -> Principal:
        """Who verified claims speak of."""
        return principal_from(claims, self._names)

    async def claims(self, token: str) -> dict[str, Any]:
        """The verified claims. Unauthenticated (401 `token-...`) unless signature, issuer, audience and times hold."""
        claims, _, _ = await self._claims(token)
        return claims

    async def _verify(self, token: str) -> _Verified:
        claims, kid, key = await self._claims(token)
        return _Verified(claims, kid, key, principal_from(claims, self._names))

    async def _claims(self, token: str) -> tuple[dict[str, Any], str | None, Any]:
        header = self._header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in _FITS:
            raise Unauthenticated("token-algorithm-refused")
        kind = header.get("typ", "JWT")
        if (
            not (kid is None or isinstance(kid, str))
            or "crit" in header
            or not isinstance(kind, str)
            or kind.lower() not in _TYPES
        ):
            raise Unauthenticated("token-malformed")
        key = await self._keys.find(kid)
        if key is None:
            raise Unauthenticated("token-key-unknown")
        if key.key_type != _FITS[algorithm] or key.get("alg", algorithm) not in (algorithm, *_SAME.get(algorithm, ())):
            raise Unauthenticated("token-algorithm-refused")
        claims = self._payload(token, key)
        self._check(claims)
        return claims, kid, key

    def _header(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST or token.count(".") != 2 or not all(map(_canonical, token.split("."))):
            raise Unauthenticated("token-malformed")
        try:
            header = jws.extract_compact(token.encode(), registry=self._registry).headers()
        except (JoseError, ValueError, RecursionError):
            raise Unauthenticated("token-malformed") from None
        if not isinstance(header, dict):
            raise Unauthenticated("token-malformed")
        return dict(header)

    def _payload(self, token: str, key: Any) -> dict[str, Any]:
        try:
            with warnings.catch_warnings():
                # EdDSA is the older name of Ed25519 (RFC 9864); providers still use it
                warnings.simplefilter("ignore", SecurityWarning)
                payload = jws.deserialize_compact(token.encode(), key, registry=self._registry).payload
            claims = json.loads(payload, parse_constant=_refuse)
        except BadSignatureError:
            raise Unauthenticated("token-signature-invalid") from None
        except (JoseError, ValueError, TypeError, RecursionError):
            raise Unauthenticated("token-malformed") from None
        if not isinstance(claims, dict):
            raise Unauthenticated("token-malformed")
        return claims

    def _check(self, claims: dict[str, Any]) -> None:
        try:
            self._checks.validate(claims)
        except ExpiredTokenError:
            raise Unauthenticated("token-expired") from None
        except InvalidClaimError as error:
            raise Unauthenticated(_CODES.get(error.claim, "token-claims-incomplete"), claim=error.claim) from None
        except MissingClaimError as error:
            raise Unauthenticated("token-claims-incomplete", claim=error.claim) from None


_SAME = {"EdDSA": ("Ed25519",), "Ed25519": ("EdDSA",)}
_CODES = {
    "iss": "token-issuer-foreign",
    "aud": "token-audience-foreign",
    "nbf": "token-not-yet-valid",
    "iat": "token-not-yet-valid",
}


def _canonical(segment: str) -> bool:
    """Whether this is the one base64url text of its bytes, so that a changed character is never overlooked."""
    try:
        raw = base64.b64decode(segment.encode("ascii") + b"=" * (-len(segment) % 4), b"-_", validate=True)
    except (ValueError, binascii.Error):
        return False
    return bool(raw) and base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == segment


def _refuse(constant: str) -> float:
    raise ValueError(constant)
