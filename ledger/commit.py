"""One transaction of the appender: a group's rows are inserted and committed.

While nobody else writes, one exchange with the server does it: what the process knows of the ledger (``ledger.head``) is
checked by the statement that writes. Else four do: begin and lock, look up, write, commit. Both speak to asyncpg itself:
through SQLAlchemy's execution a group of 32 took half again as long (docs/adr/0004).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import asyncpg

from ledger import claims as claims_
from ledger.chain import GENESIS
from ledger.entry import Item, Receipt
from ledger.foreseen import Foreseen
from ledger.group import Group
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
          AND NOT EXISTS (SELECT FROM unnest($33::text[], $34::integer[]) AS believed(stream, version)
               WHERE version <> coalesce((SELECT l.version FROM ledger l WHERE l.stream = believed.stream
                                           ORDER BY l.version DESC LIMIT 1), 0))
          AND pg_try_advisory_xact_lock(hashtext('xiapai.ledger')))
), kept AS (
  INSERT INTO ledger
  SELECT $1::bigint + n, stream, version, name, schema, data, id, cause, by, at, $2::timestamptz, trace, own, whole
    FROM known, unnest($3::text[], $4::integer[], $5::text[], $6::smallint[], $7::bytea[], $8::uuid[], $9::text[],
         $10::text[], $11::timestamptz[], $12::text[], $13::bytea[], $14::bytea[]) WITH ORDINALITY
         AS row(stream, version, name, schema, data, id, cause, by, at, trace, own, whole, n)
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
  UPDATE ledger_meta SET clock = 'real' FROM known WHERE clock IS NULL AND $3::text[] <> '{{}}'
)
SELECT now, CASE WHEN $3::text[] <> '{{}}' THEN pg_notify('{CHANNEL}', '') END FROM known
"""
_EVENTS, _REQUESTS, _CLAIMS, _KEYS = 12, 6, 6, 2  # columns


def _columns(rows: list[tuple[Any, ...]], count: int) -> list[Any]:
    return list(zip(*rows, strict=True)) if rows else [()] * count


async def commit(
    connection: asyncpg.Connection,
    items: list[Item],
    *,
    head: Head,
    foreseen: Foreseen | None = None,
    again: bool = False,
) -> list[Receipt | Exception]:
    """Record a group in one transaction; an outcome for each item, in order. After a failure the connection is of no
    more use: its transaction may be open.

    ``head`` is what this process knows of the ledger, and learns more. ``foreseen`` has decided all the items already; they
    are looked up where there is none, or where the ledger is not as it foresaw. ``again`` says that an earlier attempt may
    have been committed without our hearing of it.
    """
    if foreseen is not None and await _as_foreseen(connection, foreseen, head):
        return [*foreseen.receipts]
    return await _looking_up(connection, items, head, again=again)


async def _as_foreseen(connection: asyncpg.Connection, foreseen: Foreseen, head: Head) -> bool:
    """Write it in one exchange; False: nothing was written."""
    try:
        now = await _write(connection, foreseen.group, foreseen)
    except asyncpg.IntegrityConstraintViolationError:
        return False
    if now is None:
        return False
    foreseen.group.tell(head)
    head.told(now)
    return True


async def _write(connection: asyncpg.Connection, group: Group, foreseen: Foreseen | None = None) -> datetime | None:
    """Write what there is to write; the server's time then. None: the ledger is not as was ``foreseen``."""
    known = (
        (None, None, None, None, (), ())
        if foreseen is None
        else (*foreseen.known, *_columns(list(foreseen.believed.items()), 2))
    )
    written: datetime | None = await connection.fetchval(
        _WRITE,
        group.start,
        group.now,
        *_columns(group.rows, _EVENTS),
        *_columns(group.remembered, _REQUESTS),
        *_columns(group.held.rows(), _CLAIMS),
        *_columns(list(group.keys.items()), _KEYS),
        *known,
    )
    return written


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
        await _write(connection, group)
    await connection.execute("COMMIT")
    group.tell(head)
    return results


def _group(found: Iterable[Any], head: Head) -> Group:
    """A group that knows what was found; ``head`` learns it too."""
    versions: dict[str, int] = {}
    hashes: dict[str, bytes] = {}
    requests: dict[tuple[str, str], tuple[bytes, int, bytes]] = {}
    for what, a, b, n, octets, latest, simulated, now, answer in found:
        match what:
            case "head":
                head.found(n, octets or GENESIS, latest, simulated)
                head.told(now)
                group = Group(n, octets or GENESIS, simulated or now, latest)
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
