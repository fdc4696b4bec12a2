"""Paging cursors: opaque, encrypted, bound to their query.

A cursor holds the sort key of the last row, often a name, and stands in a URL that proxies log: so it is encrypted, not
just signed. AES-SIV (RFC 5297) is deterministic, so that the same page has the same cursor and the same ETag.
"""

import base64
import binascii
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from chassis.problems import BadRequest

T = TypeVar("T")
_LONGEST = 2048


class Cursors:
    """Makes and reads cursors with a key of 32 bytes (see `chassis.keys.derive`)."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def encode(self, query: str, place: object) -> str:
        """Where the next page begins. `query` names the query, its version and its filters; `place` is a tuple."""
        sealed = self._cipher.encrypt(msgspec.msgpack.encode(place), [query.encode()])
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def decode(self, query: str, cursor: str, shape: type[T]) -> T:
        """The place, e.g. with shape `tuple[str, int]`; 400 `cursor-malformed` for anything else, and a foreign query."""
        try:
            if len(cursor) > _LONGEST:
                raise ValueError
            sealed = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
            return msgspec.msgpack.decode(self._cipher.decrypt(sealed, [query.encode()]), type=shape)
        except (ValueError, binascii.Error, InvalidTag, msgspec.MsgspecError):
            raise BadRequest("cursor-malformed") from None
