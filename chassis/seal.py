"""Sealing of personal fields: each person has a key of their own, wrapped by the key-encryption key (KEK).

Destroying a person's wrapped key erases every field ever recorded of them, in events, topics and backups alike.
Everything made here is ASCII text that begins with its algorithm, so that a later algorithm can stand beside it.
"""

import base64
import binascii
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.keys import KEY_BYTES, derive, load_key, load_or_make_key

Fields = dict[str, str | None]

_NONCE = 12
_SEALED = "A256GCM"
_WRAPPED = "A256GCMKW"


class SealBroken(Exception):
    """A sealed text or wrapped key was changed, belongs to another person, or another key was used. Holds no data."""


class Kek:
    """The key-encryption key. Subkeys for wrapping and for blinding are derived, so that neither serves the other."""

    __slots__ = ("_blinding", "_wrapping", "id")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a key-encryption key has 32 bytes")
        self._wrapping = derive(key, "wrap person keys")
        self._blinding = derive(key, "blind identifiers")
        self.id = derive(key, "key id").hex()[:12]

    @classmethod
    def load(cls, path: Path, *, make: bool = False) -> "Kek":
        """From a secret file of 32 bytes in base64url; `make` makes it once (development only). KeyFileMistake."""
        return cls(load_or_make_key(path) if make else load_key(path))

    def wrap(self, person: str, key: bytes) -> str:
        """`A256GCMKW.<kek id>.<base64url>`: a person's key, to be stored; bound to the person."""
        head = f"{_WRAPPED}.{self.id}"
        return f"{head}.{_encrypt(self._wrapping, f'{head}|{person}', key)}"

    def unwrap(self, person: str, wrapped: str) -> bytes:
        """The person's key; SealBroken when it is another person's, was changed, or another KEK wrapped it."""
        algorithm, _, rest = wrapped.partition(".")
        kek, _, body = rest.partition(".")
        if algorithm != _WRAPPED:
            raise SealBroken("not a wrapped key of a known algorithm")
        if kek != self.id:
            raise SealBroken(f"wrapped by the key-encryption key {kek[:12]}, and this is {self.id}")
        return _decrypt(self._wrapping, f"{_WRAPPED}.{kek}|{person}", body)

    def blind(self, purpose: str, value: str) -> str:
        """A keyed fingerprint (HMAC-SHA256, base64url, 43 characters) by which equal values are found without showing
        them: the claim that an identity number stands once. The caller normalises the value first."""
        message = f"{len(purpose)}:{purpose}:{value}".encode()
        return _text(hmac.digest(self._blinding, message, "sha256"))

    def __repr__(self) -> str:
        return f"Kek(id={self.id})"


def new_key() -> bytes:
    """A new person's key."""
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes, person: str, fields: Mapping[str, str | None]) -> str:
    """`A256GCM.<base64url>`: the personal fields under the person's key, bound to the person's identifier."""
    return f"{_SEALED}.{_encrypt(key, f'{_SEALED}|{person}', msgspec.json.encode(dict(fields)))}"


def open_sealed(key: bytes, person: str, sealed: str) -> Fields:
    """The fields again; SealBroken for anything but what `seal` made with this key for this person."""
    algorithm, _, body = sealed.partition(".")
    if algorithm != _SEALED:
        raise SealBroken("not sealed by a known algorithm")
    try:
        return msgspec.json.decode(_decrypt(key, f"{_SEALED}|{person}", body), type=Fields)
    except msgspec.MsgspecError:
        raise SealBroken("the sealed content is not a table of texts") from None


def _encrypt(key: bytes, bound_to: str, plain: bytes) -> str:
    nonce = os.urandom(_NONCE)
    return _text(nonce + AESGCM(key).encrypt(nonce, plain, bound_to.encode()))


def _decrypt(key: bytes, bound_to: str, body: str) -> bytes:
    try:
        raw = base64.b64decode(body.encode("ascii") + b"=" * (-len(body) % 4), b"-_", validate=True)
        if _text(raw) != body:
            raise ValueError
        return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], bound_to.encode())
    except (InvalidTag, ValueError, binascii.Error):
        raise SealBroken("changed, of another person, or of another key") from None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
