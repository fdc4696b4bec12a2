"""One transaction of the appender: decide who may pass, insert, commit.

While nobody else writes, one exchange with the server does it: what the process knows of the ledger (``ledger.head``) is
checked by the statement that writes. Else four do: begin and lock, look up, write, commit. Both speak to asyncpg itself:
through SQLAlchemy's execution a group of 32 took half again as long (docs/adr/0004).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from ledger import claims as claims_
from ledger.chain import GENESIS, stream_hash, table_hash
from ledger.entry import Append, Item, KeyReused, Receipt, VersionConflict
from ledger.head import Head
from ledger.reader import CHANNEL

# The lock is taken in a statement of its own: only the next statement's snapshot sees what its last holder committed.
# Claims are looked up by their own indexes only where none is read into a bitmap (ledger.claims).
_BEGIN = "BEGIN; SET LOCAL enable_bitmapscan = off; SELECT pg_advisory_xact_lock(hashtext('xiapai.ledger'))"

_LOOK_UP = """
SELECT 'head' AS what, NULL AS a, NULL AS b, coalesce(l.position, 0) AS n, l.hash AS octets, l.recorded_at AS latest,
       m.simulated_now AS simulated, clock_timestamp() AS now, NULL::bytea AS answer
  FROM ledger_meta m LEFT JOIN LATERAL (SELECT * FROM ledger ORDER BY position DESC LIMIT 1) l ON true
UNION ALL
SELECT 'stream', s.stream, l.id::text, l.version, l.stream_hash, NULL, NULL, NULL, NULL
  FROM unnest($1::text[]) AS s(stream)
  CROSS JOIN LATERAL (SELECT * FROM ledger WHERE stream = s.stream ORDER BY version DESC LIMIT 1) l
UNION ALL
SELECT 'request', r.principal, r.key, r.position, r.digest, NULL, NULL, NULL, r.answer
  FROM unnest($2::text[], $3::text[]) AS k(principal, key) JOIN requests r USING (principal, key)
"""

_MINE = """
SELECT stream, version, id, position FROM ledger
 WHERE (stream, id) IN (SELECT * FROM unnest($1::text[], $2::uuid[])) ORDER BY position
"""

# `known` is empty where the ledger is not as the writer knew it; then nothing is written. What commits between this
# statement's snapshot and its lock is met at the next position, or at a request's or claim's key: a unique violation.
_WRITE = f"""
WITH known AS MATERIALIZED (
  SELECT clock_timestamp() AS now FROM ledger_meta m
   WHERE $29::timestamptz IS NULL
      OR ((SELECT hash FROM ledger WHERE position = $30::bigint) = $31::bytea
          AND m.simulated_now IS NOT DISTINCT FROM $32::timestamptz
          AND clock_timestamp() BETWEEN $29 - interval '1 s' AND $29 + interval '1 s'
          AND pg_try_advisory_xact_lock(hashtext('xiapai.ledger')))
), kept AS (
  INSERT INTO ledger SELECT row.* FROM known, unnest(
    $1::bigint[], $2::text[], $3::integer[], $4::text[], $5::smallint[], $6::bytea[], $7::uuid[], $8::text[],
    $9::text[], $10::timestamptz[], $11::timestamptz[], $12::text[], $13::bytea[], $14::bytea[]) AS row
), remembered AS (
  INSERT INTO requests SELECT row.* FROM known, unnest(
    $15::text[], $16::text[], $17::bytea[], $18::bytea[], $19::bigint[], $20::timestamptz[]) AS row
), claimed AS (
  INSERT INTO claims SELECT kind, key, stream, daterange(first, last, '[]'), int8range(slot, slot + 1)
    FROM known, unnest($21::text[], $22::text[], $23::text[], $24::date[], $25::date[], $26::bigint[])
         AS row(kind, key, stream, first, last, slot)
), keys AS (
  INSERT INTO keyring
  SELECT stream, wrapped, (SELECT coalesce(max(change), 0) FROM keyring) + n, now
    FROM known, unnest($27::text[], $28::bytea[]) WITH ORDINALITY AS k(stream, wrapped, n)
      ON CONFLICT (stream) DO UPDATE
     SET wrapped = excluded.wrapped, change = excluded.change, changed_at = excluded.changed_at
), clock AS (
  UPDATE ledger_meta SET clock = 'real' FROM known WHERE clock IS NULL AND $1::bigint[] <> '{{}}'
)
SELECT now, CASE WHEN $1::bigint[] <> '{{}}' THEN pg_notify('{CHANNEL}', '') END FROM known
"""
_EVENTS, _REQUESTS, _CLAIMS, _KEYS = 14, 6, 6, 2  # columns


class _Group:
    """What the group knows and will write. Versions and claims move as its items pass, one after another."""

    def __init__(self, position: int, hash: bytes, now: datetime, latest: datetime | None) -> None:
        self.position, self.hash = position, hash
        self.now = max(now, latest) if latest else now
        self.versions: dict[str, int] = {}
        self.hashes: dict[str, bytes] = {}
        self.requests: dict[tuple[str, str], tuple[bytes, int, bytes]] = {}
        self.held = claims_.Held(())
        self.rows: list[tuple[Any, ...]] = []
        self.remembered: list[tuple[Any, ...]] = []
        self.keys: dict[str, bytes | None] = {}

    async def write(self, connection: asyncpg.Connection, *known: Any) -> datetime | None:
        """Write what there is to write; the server's time then. None: the ledger is not as ``known`` says."""
        written: datetime | None = await connection.fetchval(
            _WRITE,
            *_columns(self.rows, _EVENTS),
            *_columns(self.remembered, _REQUESTS),
            *_columns(self.held.rows(), _CLAIMS),
            *_columns(list(self.keys.items()), _KEYS),
            *(known or (None,) * 4),
        )
        return written

    def tell(self, head: Head) -> None:
        """What is written is known from now on."""
        newest = {stream: (version, self.hashes[stream]) for stream, version in self.versions.items()}
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
        said = (self.position, stream, version, name, schema, data, id, append.cause, append.by, append.at)
        self.rows.append((*said, self.now, item.trace, own, self.hash))


def _columns(rows: list[tuple[Any, ...]], count: int) -> list[Any]:
    return list(zip(*rows, strict=True)) if rows else [()] * count


async def commit(
    connection: asyncpg.Connection, items: list[Item], *, head: Head, again: bool
) -> list[Receipt | Exception]:
    """Record a group in one transaction; an outcome for each item, in order. After a failure the connection is of no
    more use: its transaction may be open.

    ``head`` is what this process knows of the ledger, and learns more. ``again`` says that an earlier attempt may have
    been committed without our hearing of it.
    """
    if head.ours and not again:
        results = await _as_known(connection, items, head)
        if results is not None:
            return results
    return await _looking_up(connection, items, head, again=again)


async def _as_known(connection: asyncpg.Connection, items: list[Item], head: Head) -> list[Receipt | Exception] | None:
    """Record it in one exchange, as far as the process knows enough; None: nothing was recorded, look up first. Nobody is
    refused from memory, for only what was written proves that it was right."""
    time = head.server_time
    if time is None:
        return None
    group = _Group(head.position, head.hash, head.simulated or time, head.latest)
    if not all(_recall(item.append, head, group) for item in items):
        return None
    results = [group.take(item) for item in items]
    if not group.rows or any(isinstance(result, Exception) for result in results):
        return None
    try:
        now = await group.write(connection, time, head.position, head.hash, head.simulated)
    except asyncpg.IntegrityConstraintViolationError:
        return None
    if now is None:
        return None
    group.tell(head)
    head.told(now)
    return results


def _recall(append: Append, head: Head, group: _Group) -> bool:
    """Let the group know the newest versions of all its streams, where they are known or follow from its being written (a
    new stream's first version is taken or it is not), and where it claims for new streams only, which hold nothing yet."""
    written = {stream for stream, _ in append.events}
    for stream in append.streams:
        if stream in head.streams:
            group.versions[stream], group.hashes[stream] = head.streams[stream]
        elif stream not in written or append.expected.get(stream) != 0:
            return False
    claiming = [*(claim.stream for claim in append.claims), *(stream for _, stream in append.release)]
    return all(stream in written and stream not in head.streams for stream in claiming)


async def _looking_up(
    connection: asyncpg.Connection, items: list[Item], head: Head, *, again: bool
) -> list[Receipt | Exception]:
    wanted = [claim for item in items for claim in item.append.claims]
    released = [claims_.Claim(kind, "", stream) for item in items for kind, stream in item.append.release]
    streams = {stream for item in items for stream in item.append.streams}
    asked = {(i.append.request.principal, i.append.request.key) for i in items if i.append.request is not None}
    await connection.execute(_BEGIN)
    found = await connection.fetch(_LOOK_UP, sorted(streams), [p for p, _ in asked], [k for _, k in asked])
    group = _group(found, head)
    if wanted or released:
        group.held = claims_.Held(await claims_.load(connection, wanted + released))
    earlier = await _recorded_before(connection, items) if again else {}
    results = [earlier[id(item)] if id(item) in earlier else group.take(item) for item in items]
    await claims_.drop(connection, group.held)
    if group.rows or group.remembered or group.keys or any(group.held.taken.values()):
        await group.write(connection)
    await connection.execute("COMMIT")
    group.tell(head)
    return results


def _group(found: Iterable[Any], head: Head) -> _Group:
    """A group that knows what was found; ``head`` learns it too."""
    versions: dict[str, int] = {}
    hashes: dict[str, bytes] = {}
    requests: dict[tuple[str, str], tuple[bytes, int, bytes]] = {}
    for what, a, b, n, octets, latest, simulated, now, answer in found:
        match what:
            case "head":
                head.found(n, octets or GENESIS, latest, simulated)
                head.told(now)
                group = _Group(n, octets or GENESIS, simulated or now, latest)
            case "stream":
                versions[a], hashes[a] = n, octets
            case "request":
                requests[a, b] = (octets, n, answer)
    group.versions, group.hashes, group.requests = versions, hashes, requests
    return group


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
