"""What is appended, and what becomes of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec

from ledger.claims import Claim


class Request(msgspec.Struct, frozen=True):
    """Who asked, by which key, for what: ``digest`` is a keyed hash of the body (never a plain one: bodies are
    personal)."""

    principal: str
    key: str
    digest: bytes


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """What one command records, whole or not at all.

    ``events`` are pairs of stream and event. ``expected`` holds the version of every stream that was read to decide
    (0: it had no events). ``claims`` replace what their streams held of those kinds; ``release`` gives up kinds of
    claims by pairs of kind and stream. ``keys`` sets the wrapped key of a stream, or destroys it (None). ``answer`` is
    kept with the request and given again when it is repeated.
    """

    by: str
    at: datetime
    events: Sequence[tuple[str, Any]] = ()
    expected: Mapping[str, int] = {}
    request: Request | None = None
    answer: bytes = b""
    cause: str = ""
    claims: Sequence[Claim] = ()
    release: Sequence[tuple[str, str]] = ()
    keys: Mapping[str, bytes | None] = {}

    @property
    def streams(self) -> set[str]:
        """All that were read or are written."""
        return {*self.expected, *(stream for stream, _ in self.events)}


class Receipt(msgspec.Struct, frozen=True):
    """What became of an append: the position of its last event (where nothing was recorded, the ledger's head then),
    the answer, the versions that its streams have now, and whether this only repeats an earlier answer."""

    position: int
    answer: bytes
    versions: Mapping[str, int]
    repeated: bool = False


class VersionConflict(Exception):
    """A stream moved on since it was read: read again and decide again."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"{stream} is at {actual}, not {expected}")
        self.stream, self.expected, self.actual = stream, expected, actual


class KeyReused(Exception):
    """The same idempotency key came with another body."""


class Unavailable(Exception):
    """The database could not be reached for so long that the caller must be told; nothing is known to be recorded,
    and repeating the request with the same key is safe."""


@dataclass(eq=False, slots=True)
class Item:
    """An append on its way: its encoded events with the ids that they keep over every attempt; ``trace`` is the work that
    it belongs to, ``since`` when it came, in monotonic seconds."""

    append: Append
    encoded: list[tuple[str, str, int, bytes, UUID]]
    done: asyncio.Future[Receipt]
    trace: str
    since: float = field(default_factory=monotonic)


@dataclass(frozen=True, slots=True)
class Settled:
    """A group that has come to its end, for those who measure: how long its last attempt took (``commit_seconds``), how
    long each item waited in all, and what became of each."""

    commit_seconds: float
    seconds: Sequence[float]
    results: Sequence[Receipt | Exception]
