"""Key files: 32 random bytes as base64url text, readable by their owner alone; and keys derived from them by purpose."""

import base64
import binascii
import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


class KeyFileMistake(Exception):
    """A key file is missing or unusable; the message is one sentence with the remedy, and holds nothing of the key."""


def load_key(path: Path) -> bytes:
    """The 32 bytes of a key file."""
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        raise KeyFileMistake(f"the key file {path} does not exist; make one of 32 random bytes in base64url") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileMistake(f"the key file {path} cannot be read ({type(error).__name__}); check its rights") from None
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileMistake(f"the key file {path} does not hold 32 bytes in base64url; restore it from its backup")
    return key


def load_or_make_key(path: Path) -> bytes:
    """The key file's key, made once where there is none. For development: production brings its key as a secret."""
    if not path.exists():
        write_once(path, base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
    return load_key(path)


def signing_key(path: Path, *, make: bool = False) -> Ed25519PrivateKey:
    """The Ed25519 key whose private half is the key file's 32 bytes. KeyFileMistake."""
    return Ed25519PrivateKey.from_private_bytes(load_or_make_key(path) if make else load_key(path))


def public_key(path: Path) -> Ed25519PublicKey:
    """From a file with the 32 bytes of the public half, as `public_text` writes it. KeyFileMistake."""
    return Ed25519PublicKey.from_public_bytes(load_key(path))


def public_text(key: Ed25519PrivateKey) -> str:
    """The public half, for a file."""
    return base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode() + "\n"


def write_once(path: Path, text: str) -> None:
    """Write a secret file with mode 0600, whole or not at all; where another process was first, its file stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)
    finally:
        os.unlink(scratch)


def derive(key: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose (HKDF-SHA256, RFC 5869): keys of two purposes say nothing of each other."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"xiapai/" + purpose.encode()).derive(key)
