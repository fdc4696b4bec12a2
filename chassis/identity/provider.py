"""An OpenID Connect provider by its discovery address: its endpoints and its keys, kept, and fetched anew when needed."""

import asyncio
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import httpx
import structlog
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from chassis.problems import Unavailable

log = structlog.get_logger("identity")

_FRESH = 600.0
_NOT_MORE_OFTEN = 30.0
_PATIENCE = 5.0

SigningKey = RSAKey | ECKey | OKPKey


class Keys(Protocol):
    """Where a verifier finds the key that a token names."""

    async def find(self, kid: str | None) -> SigningKey | None:
        """The public key; None where the issuer has none of that name. Unavailable (503) when nothing is known yet."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the desk needs of the discovery document."""

    authorization: str
    token: str
    end_session: str | None


class GivenKeys:
    """A fixed set of public keys."""

    def __init__(self, *keys: SigningKey) -> None:
        self._keys = by_kid({"keys": [key.as_dict(private=False) | {"kid": _kid(key)} for key in keys]})

    async def find(self, kid: str | None) -> SigningKey | None:
        return _pick(self._keys, kid)


class Provider:
    """The provider behind an issuer.

    Keys are fetched again after ten minutes, and at once for an unknown key name, but not more often than every 30
    seconds, so that forged tokens cannot make us call the issuer. When it does not answer, the keys known stay good.
    """

    def __init__(self, issuer: str, http: httpx.AsyncClient, discovery: str | None = None) -> None:
        self.issuer = issuer
        self._discovery = discovery or issuer.rstrip("/") + "/.well-known/openid-configuration"
        self._http = http
        self._lock = asyncio.Lock()
        self._keys: dict[str, SigningKey] = {}
        self._endpoints: Endpoints | None = None
        self._fetched = float("-inf")
        self._tried = float("-inf")

    async def find(self, kid: str | None) -> SigningKey | None:
        key = _pick(self._keys, kid)
        now = time.monotonic()
        if key is None or now - self._fetched > _FRESH:
            await self._refresh(now)
            key = _pick(self._keys, kid)
        if not self._keys:
            raise Unavailable("identity-provider-unreachable", headers={"Retry-After": "5"})
        return key

    async def endpoints(self) -> Endpoints:
        """Where to send a browser and a code; Unavailable (503) while the provider cannot be reached."""
        if self._endpoints is None:
            await self._refresh(time.monotonic())
        if self._endpoints is None:
            raise Unavailable("identity-provider-unreachable", headers={"Retry-After": "5"})
        return self._endpoints

    async def _refresh(self, asked: float) -> None:
        async with self._lock:
            # without any keys every request waits for the issuer, so a short pause is enough
            pause = _NOT_MORE_OFTEN if self._keys else 1.0
            if self._tried >= asked or time.monotonic() - self._tried < pause:
                return
            self._tried = time.monotonic()
            try:
                document = await self._get(self._discovery)
                if document.get("issuer") != self.issuer:
                    raise ValueError("the discovery document names another issuer")
                keys = by_kid(await self._get(self._address(document, "jwks_uri")))
                if not keys:
                    raise ValueError("the key set has no usable key")
                end_session = document.get("end_session_endpoint")
                self._endpoints = Endpoints(
                    authorization=self._address(document, "authorization_endpoint"),
                    token=self._address(document, "token_endpoint"),
                    end_session=self._address(document, "end_session_endpoint") if end_session else None,
                )
                self._keys, self._fetched = keys, time.monotonic()
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                log.warning("identity-provider-unreachable", issuer=self.issuer, error=type(error).__name__)

    async def _get(self, address: str) -> dict[str, Any]:
        answer = await self._http.get(address, headers={"Accept": "application/json"}, timeout=_PATIENCE)
        answer.raise_for_status()
        document = answer.json()
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")
        return document

    def _address(self, document: Mapping[str, Any], name: str) -> str:
        address = document.get(name)
        if not isinstance(address, str) or urlsplit(address).scheme not in ("http", "https"):
            raise ValueError(f"no address {name}")
        if urlsplit(self.issuer).scheme == "https" and urlsplit(address).scheme != "https":
            raise ValueError(f"{name} is not https")
        return address


def by_kid(document: Mapping[str, Any]) -> dict[str, SigningKey]:
    """The keys of a JWKS that may verify signatures: RSA of at least 2048 bits, EC P-256, Ed25519; nothing symmetric."""
    found: dict[str, SigningKey] = {}
    listed = document.get("keys")
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        public = {name: value for name, value in entry.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth")}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)  # weak keys are dropped below
                key = JWKRegistry.import_key(public)
            if _usable(key):
                found[_kid(key)] = cast(SigningKey, key)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return found


def _usable(key: object) -> bool:
    match key:
        case RSAKey():
            return key.raw_value.key_size >= 2048
        case ECKey():
            return key.curve_name == "P-256"
        case OKPKey():
            return key.curve_name == "Ed25519"
        case _:
            return False


def _kid(key: Any) -> str:
    key.ensure_kid()
    return str(key.kid)


def _pick(keys: Mapping[str, SigningKey], kid: str | None) -> SigningKey | None:
    if kid is not None:
        return keys.get(kid)
    return next(iter(keys.values())) if len(keys) == 1 else None
