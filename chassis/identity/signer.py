"""Signs tokens with a key kept in a file: the development issuer's pen."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from chassis.keys import KeyFileMistake, write_once


class Signer:
    """Signs as `issuer` with an EC P-256 key (ES256)."""

    def __init__(self, key: ECKey, issuer: str) -> None:
        self.key = key
        self.issuer = issuer
        key.ensure_kid()

    @classmethod
    def open(cls, path: Path, issuer: str) -> "Signer":
        """With the private key of the file, made once (mode 0600) where there is none. KeyFileMistake."""
        if not path.exists():
            fresh = ECKey.generate_key("P-256", auto_kid=True)
            write_once(path, json.dumps(fresh.as_dict(private=True)) + "\n")
        try:
            key = ECKey.import_key(json.loads(path.read_text()))
        except (OSError, ValueError, TypeError, JoseError) as error:
            raise KeyFileMistake(
                f"the signing key {path} cannot be used ({type(error).__name__}); remove it and a new one is made"
            ) from None
        return cls(key, issuer)

    def public_jwk(self) -> dict[str, Any]:
        """The public half, for a JWKS."""
        return dict(self.key.as_dict(private=False)) | {"use": "sig", "alg": "ES256"}

    def token(self, claims: Mapping[str, Any], audience: str, seconds: int, *, now: float | None = None) -> str:
        """A signed token of these claims, good for so many seconds from now (Unix seconds, real time)."""
        issued = int(time.time() if now is None else now)
        header = {"alg": "ES256", "kid": self.key.kid}
        times = {"iss": self.issuer, "aud": audience, "iat": issued, "exp": issued + seconds}
        return jwt.encode(header, dict(claims) | times, self.key, algorithms=["ES256"])
