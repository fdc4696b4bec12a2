"""One event as the ledger holds it."""

from datetime import datetime
from uuid import UUID

import msgspec


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A row of the ledger.

    ``position`` counts the ledger's events from 1 without gaps, ``version`` the stream's. ``data`` holds the bytes as
    published. ``at`` is what the command claimed, ``recorded_at`` when the ledger took it; both are aware times.
    ``stream_hash`` and ``hash`` are SHA-256 (32 bytes), see :mod:`ledger.chain`.
    """

    position: int
    stream: str
    version: int
    name: str
    schema: int
    data: bytes
    id: UUID
    cause: str
    by: str
    at: datetime
    recorded_at: datetime
    trace: str
    stream_hash: bytes
    hash: bytes
