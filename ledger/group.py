"""The items of one transaction, decided one after another: who may pass, and which rows that makes. Pure: no I/O.

What a group knows was looked up (``ledger.commit``), or is foreseen (``ledger.foreseen``).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from ledger import claims as claims_
from ledger.chain import GENESIS, stream_hash, table_hash
from ledger.entry import Item, KeyReused, Receipt, VersionConflict
from ledger.head import Head


class Group:
    """What the group knows and will write. Versions and claims move as its items pass, one after another."""

    def __init__(self, position: int, hash: bytes, now: datetime, latest: datetime | None) -> None:
        self.start, self.position, self.hash = position, position, hash
        self.now = max(now, latest) if latest else now
        self.versions: dict[str, int] = {}
        self.hashes: dict[str, bytes] = {}
        self.requests: dict[tuple[str, str], tuple[bytes, int, bytes]] = {}
        self.held = claims_.Held(())
        self.rows: list[tuple[Any, ...]] = []
        self.remembered: list[tuple[Any, ...]] = []
        self.keys: dict[str, bytes | None] = {}

    def tell(self, head: Head) -> None:
        """What is written is known from now on."""
        newest = {stream: (self.versions[stream], hash) for stream, hash in self.hashes.items()}
        head.moved(self.position, self.hash, self.now if self.rows else head.latest, newest)

    def take(self, item: Item) -> Receipt | Exception:
        """Let one item pass, or say why not."""
        append, request = item.append, item.append.request
        if request is not None:
            earlier = self.requests.get((request.principal, request.key))
            if earlier is not None:
                digest, position, answer = earlier
                return (
                    Receipt(position, answer, {}, repeated=True) if digest == request.digest else KeyReused(request.key)
                )
        for stream, expected in append.expected.items():
            actual = self.versions.get(stream, 0)
            if actual != expected:
                return VersionConflict(stream, expected, actual)
        taken = self.held.refuse(append.claims)
        if taken is not None:
            return taken
        self.held.replace(append.claims, append.release)
        self.keys.update(append.keys)
        for event in item.encoded:
            self._add(item, *event)
        if request is not None:
            self.requests[request.principal, request.key] = (request.digest, self.position, append.answer)
            self.remembered.append(
                (request.principal, request.key, request.digest, append.answer, self.position, self.now)
            )
        versions = {stream: self.versions.get(stream, 0) for stream in append.streams}
        return Receipt(self.position, append.answer, versions)

    def _add(self, item: Item, stream: str, name: str, schema: int, data: bytes, id: UUID) -> None:
        append = item.append
        self.position += 1
        self.versions[stream] = version = self.versions.get(stream, 0) + 1
        self.hashes[stream] = own = stream_hash(
            self.hashes.get(stream, GENESIS),
            stream=stream,
            version=version,
            name=name,
            schema=schema,
            data=data,
            id=id.bytes,
            cause=append.cause,
            by=append.by,
            at=append.at,
        )
        self.hash = table_hash(self.hash, position=self.position, recorded_at=self.now, stream_hash=own)
        said = (stream, version, name, schema, data, id, append.cause, append.by, append.at)
        self.rows.append((*said, item.trace, own, self.hash))
