"""One transaction of the appender: look up, decide who may pass, insert, commit.

It speaks to asyncpg itself, in four exchanges with the server: through SQLAlchemy's execution a group of 32 took half
again as long (docs/adr/0004).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from ledger import claims as claims_
from ledger.chain import GENESIS, stream_hash, table_hash
from ledger.entry import Item, KeyReused, Receipt, VersionConflict
from ledger.reader import CHANNEL

# The lock is taken in a statement of its own: only the next statement's snapshot sees what its last holder committed.
# Claims are looked up by their own indexes only where none is read into a bitmap (ledger.claims).
_BEGIN = "BEGIN; SET LOCAL enable_bitmapscan = off; SELECT pg_advisory_xact_lock(hashtext('xiapai.ledger'))"

_LOOK_UP = """
SELECT 'head' AS what, NULL AS a, NULL AS b, coalesce(l.position, 0) AS n, l.hash AS octets, l.recorded_at AS latest,
       coalesce(m.simulated_now, clock_timestamp()) AS now, NULL::bytea AS answer
  FROM ledger_meta m LEFT JOIN LATERAL (SELECT * FROM ledger ORDER BY position DESC LIMIT 1) l ON true
UNION ALL
SELECT 'stream', s.stream, l.id::text, l.version, l.stream_hash, NULL, NULL, NULL
  FROM unnest($1::text[]) AS s(stream)
  CROSS JOIN LATERAL (SELECT * FROM ledger WHERE stream = s.stream ORDER BY version DESC LIMIT 1) l
UNION ALL
SELECT 'request', r.principal, r.key, r.position, r.digest, NULL, NULL, r.answer
  FROM unnest($2::text[], $3::text[]) AS k(principal, key) JOIN requests r USING (principal, key)
"""

_MINE = """
SELECT stream, version, id, position FROM ledger
 WHERE (stream, id) IN (SELECT * FROM unnest($1::text[], $2::uuid[])) ORDER BY position
"""

_WRITE = f"""
WITH kept AS (
  INSERT INTO ledger SELECT * FROM unnest(
    $1::bigint[], $2::text[], $3::integer[], $4::text[], $5::smallint[], $6::bytea[], $7::uuid[], $8::text[],
    $9::text[], $10::timestamptz[], $11::timestamptz[], $12::text[], $13::bytea[], $14::bytea[])
), remembered AS (
  INSERT INTO requests SELECT * FROM unnest(
    $15::text[], $16::text[], $17::bytea[], $18::bytea[], $19::bigint[], $20::timestamptz[])
), clock AS (
  UPDATE ledger_meta SET clock = 'real' WHERE clock IS NULL AND $1::bigint[] <> '{{}}'
)
SELECT pg_notify('{CHANNEL}', '') WHERE $1::bigint[] <> '{{}}'
"""
_EVENT_COLUMNS, _REQUEST_COLUMNS = 14, 6

_KEY = """
INSERT INTO keyring SELECT stream, wrapped, (SELECT coalesce(max(change), 0) FROM keyring) + n, clock_timestamp()
  FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS k(stream, wrapped, n)
    ON CONFLICT (stream) DO UPDATE
   SET wrapped = excluded.wrapped, change = excluded.change, changed_at = excluded.changed_at
"""


class _Group:
    """What the group knows and will write. Versions and claims move as its items pass, one after another."""

    def __init__(self, found: Iterable[Any], standing: list[claims_.Claim]) -> None:
        self.versions: dict[str, int] = {}
        self.hashes: dict[str, bytes] = {}
        self.requests: dict[tuple[str, str], tuple[bytes, int, bytes]] = {}
        for what, a, b, n, octets, latest, now, answer in found:
            match what:
                case "head":
                    self.position: int = n
                    self.hash: bytes = octets or GENESIS
                    self.now: datetime = max(now, latest) if latest else now
                case "stream":
                    self.versions[a], self.hashes[a] = n, octets
                case "request":
                    self.requests[a, b] = (octets, n, answer)
        self.held = claims_.Held(standing)
        self.rows: list[tuple[Any, ...]] = []
        self.remembered: list[tuple[Any, ...]] = []
        self.keys: dict[str, bytes | None] = {}

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
        touched = {*append.expected, *(stream for stream, _ in append.events)}
        return Receipt(self.position, append.answer, {stream: self.versions.get(stream, 0) for stream in touched})

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
        said = (self.position, stream, version, name, schema, data, id, append.cause, append.by, append.at)
        self.rows.append((*said, self.now, item.trace, own, self.hash))


def _columns(rows: list[tuple[Any, ...]], count: int) -> list[Any]:
    return list(zip(*rows, strict=True)) if rows else [()] * count


async def commit(connection: asyncpg.Connection, items: list[Item], *, again: bool) -> list[Receipt | Exception]:
    """Record a group in one transaction; an outcome for each item, in order. After a failure the connection is of no
    more use: its transaction may be open.

    ``again`` says that an earlier attempt may have been committed without our hearing of it.
    """
    wanted = [claim for item in items for claim in item.append.claims]
    released = [claims_.Claim(kind, "", stream) for item in items for kind, stream in item.append.release]
    streams = {s for item in items for s in (*item.append.expected, *(stream for stream, _ in item.append.events))}
    asked = {(i.append.request.principal, i.append.request.key) for i in items if i.append.request is not None}
    await connection.execute(_BEGIN)
    found = await connection.fetch(_LOOK_UP, sorted(streams), [p for p, _ in asked], [k for _, k in asked])
    standing = await claims_.load(connection, wanted + released) if wanted or released else []
    group = _Group(found, standing)
    earlier = await _recorded_before(connection, items) if again else {}
    results = [earlier[id(item)] if id(item) in earlier else group.take(item) for item in items]
    if group.rows or group.remembered:
        events, requests = _columns(group.rows, _EVENT_COLUMNS), _columns(group.remembered, _REQUEST_COLUMNS)
        await connection.execute(_WRITE, *events, *requests)
    if group.keys:
        await connection.execute(_KEY, list(group.keys), list(group.keys.values()))
    await claims_.store(connection, group.held)
    await connection.execute("COMMIT")
    return results


async def _recorded_before(connection: asyncpg.Connection, items: list[Item]) -> dict[int, Receipt]:
    """Which items without a request stand in the ledger already: their events have the ids that we gave them."""
    mine = {event[-1]: (event[0], item) for item in items if item.append.request is None for event in item.encoded}
    receipts: dict[int, Receipt] = {}
    for stream, version, event_id, position in await connection.fetch(_MINE, [s for s, _ in mine.values()], list(mine)):
        _, item = mine[event_id]
        before = receipts.get(id(item))
        versions = {**(before.versions if before else item.append.expected), stream: version}
        receipts[id(item)] = Receipt(position, item.append.answer, versions)
    return receipts
