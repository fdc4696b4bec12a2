"""Masks what must never be logged: numbers of persons, passwords, tokens. A net below the rule that nobody logs them."""

import re
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

_IDENTITY = re.compile(r"(?<!\d)\d{6}[ -]?\d{8}[ -]?\d{3}[\dXx](?!\d)|(?<!\d)\d{15}(?!\d)")
_PHONE = re.compile(r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)|(?<!\d)0\d{2,3}-\d{7,8}(?!\d)")
_PASSWORD_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)+")
_PERHAPS = re.compile(r"\d{3}|://|eyJ")
"""Stands in whatever the four above find, and in few lines else: one search in place of four."""
_HIDDEN_KEYS = re.compile(r"(^|_)(phone|mobile|identity|password|secret|token|authorization|cookie|dsn|full_name)(_|$)")
_SHORTEST_NUMBER = 10**10
"""No phone number without its blanks and dashes is smaller, and no identity number."""
_PLAIN_KEYS = ("trace", "timestamp", "level", "logger")
MASK = "▇"


def mask(text: str) -> str:
    """The text without what looks like an identity number, a phone number, a password in an address or a token."""
    if not _PERHAPS.search(text):
        return text
    text = _IDENTITY.sub(MASK * 6, text)
    text = _PHONE.sub(MASK * 4, text)
    return _TOKEN.sub(MASK * 5, _PASSWORD_IN_URL.sub(rf"\1{MASK}@", text))


def looks_personal(text: str) -> bool:
    """Whether an identity-number-like or phone-like run of digits stands in the text."""
    return bool(_IDENTITY.search(text) or _PHONE.search(text))


@lru_cache(1_000)
def _is_hidden(key: str) -> bool:
    return _HIDDEN_KEYS.search(key) is not None


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: mask values, and hide fields that are personal or secret by their name."""
    for key, value in event.items():
        if key not in _PLAIN_KEYS:
            event[key] = MASK if _is_hidden(key) else _masked(value, 0)
    return event


def _masked(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return value if abs(value) < _SHORTEST_NUMBER or mask(str(value)) == str(value) else MASK
    if depth < 5:
        if isinstance(value, dict):
            return {
                mask(str(k)): MASK if _HIDDEN_KEYS.search(str(k)) else _masked(v, depth + 1) for k, v in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [_masked(item, depth + 1) for item in value]
    return mask(str(value))
