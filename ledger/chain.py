"""Two chains of hashes over the ledger: one along each stream, one along the table.

The stream's chain lets one dossier be proved alone; the table's makes every change, removal, swap or cut show. Both go
along in the Kafka headers, so that the topic witnesses a tail that was cut.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.reader import read
from ledger.recorded import Recorded

GENESIS = bytes(32)
"""What comes before the first event of a chain."""

_TWO, _FOUR, _EIGHT = (size.to_bytes(4, "big") for size in (2, 4, 8))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _micros(moment: datetime) -> bytes:
    return ((moment - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True)


def stream_hash(
    before: bytes,
    *,
    stream: str,
    version: int,
    name: str,
    schema: int,
    data: bytes,
    id: bytes,
    cause: str,
    by: str,
    at: datetime,
) -> bytes:
    """SHA-256 over the stream's previous hash and everything that the command said. Each field is prefixed with its
    length, so that no two different events have the same bytes."""
    # What is always as long bears its length as a constant: an event's hash takes 1.6 us so, and 2.3 in a loop.
    of_stream, of_name, of_cause, of_by = stream.encode(), name.encode(), cause.encode(), by.encode()
    said = (
        before,
        _length(of_stream),
        of_stream,
        _FOUR,
        version.to_bytes(4, "big"),
        _length(of_name),
        of_name,
        _TWO,
        schema.to_bytes(2, "big"),
        _length(data),
        data,
        _length(id),
        id,
        _length(of_cause),
        of_cause,
        _length(of_by),
        of_by,
        _EIGHT,
        _micros(at),
    )
    return hashlib.sha256(b"".join(said)).digest()


def _length(field: bytes) -> bytes:
    return len(field).to_bytes(4, "big")


def table_hash(before: bytes, *, position: int, recorded_at: datetime, stream_hash: bytes) -> bytes:
    """SHA-256 over the previous row's hash, this row's position and time, and its stream hash."""
    return hashlib.sha256(before + position.to_bytes(8, "big") + _micros(recorded_at) + stream_hash).digest()


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a ledger is not what it should be, first: the position, its stream, and what does not fit: ``gap``, ``order``,
    ``stream-hash``, ``hash`` in itself; ``tail``, ``gap``, ``rewritten``, ``trace`` against what others saw."""

    position: int
    stream: str
    what: str


class Verifier:
    """Follows both chains row by row. Memory grows with the number of streams (about 200 bytes each)."""

    def __init__(self) -> None:
        self.position = 0
        self.hash = GENESIS
        self._streams: dict[str, tuple[int, bytes]] = {}

    def check(self, row: Recorded) -> Broken | None:
        """The first thing that does not fit in ``row``, or None."""
        version, before = self._streams.get(row.stream, (0, GENESIS))
        if row.position != self.position + 1:
            return Broken(self.position + 1, row.stream, "gap")
        if row.version != version + 1:
            return Broken(row.position, row.stream, "order")
        expected = stream_hash(
            before,
            stream=row.stream,
            version=row.version,
            name=row.name,
            schema=row.schema,
            data=row.data,
            id=row.id.bytes,
            cause=row.cause,
            by=row.by,
            at=row.at,
        )
        if expected != row.stream_hash:
            return Broken(row.position, row.stream, "stream-hash")
        whole = table_hash(self.hash, position=row.position, recorded_at=row.recorded_at, stream_hash=expected)
        if whole != row.hash:
            return Broken(row.position, row.stream, "hash")
        self.position, self.hash = row.position, whole
        self._streams[row.stream] = (row.version, expected)
        return None


async def verify(connection: AsyncConnection) -> AsyncIterator[int | Broken]:
    """Verify the whole ledger, yielding the position reached after each portion, and a :class:`Broken` at the end if
    there is one. That it ends where it should, :mod:`ledger.testimony` can tell."""
    verifier = Verifier()
    while rows := await read(connection, verifier.position, 2000):
        for row in rows:
            broken = verifier.check(row)
            if broken is not None:
                yield broken
                return
        yield verifier.position
