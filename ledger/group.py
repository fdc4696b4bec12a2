"""One transaction of the appender: look up, decide who may pass, insert, commit."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import claims as claims_
from ledger.chain import GENESIS, stream_hash, table_hash
from ledger.entry import Item, KeyReused, Receipt, VersionConflict
from ledger.reader import CHANNEL

# Taken in a statement of its own: only the next statement's snapshot sees what the lock's last holder committed.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('xiapai.ledger'))")

_LOOK_UP = text("""
SELECT 'head' AS what, NULL AS a, NULL AS b, coalesce(l.position, 0) AS n, l.hash AS octets, l.recorded_at AS latest,
       coalesce(m.simulated_now, clock_timestamp()) AS now, NULL::bytea AS answer
  FROM ledger_meta m LEFT JOIN LATERAL (SELECT * FROM ledger ORDER BY position DESC LIMIT 1) l ON true
UNION ALL
SELECT 'stream', s.stream, l.id::text, l.version, l.stream_hash, NULL, NULL, NULL
  FROM unnest(CAST(:streams AS text[])) AS s(stream)
  CROSS JOIN LATERAL (SELECT * FROM ledger WHERE stream = s.stream ORDER BY version DESC LIMIT 1) l
UNION ALL
SELECT 'request', r.principal, r.key, r.position, r.digest, NULL, NULL, r.answer
  FROM unnest(CAST(:principals AS text[]), CAST(:keys AS text[])) AS k(principal, key)
  JOIN requests r USING (principal, key)
""")

_MINE = text(
    "SELECT stream, version, id, position FROM ledger WHERE (stream, version) IN"
    " (SELECT * FROM unnest(CAST(:streams AS text[]), CAST(:versions AS integer[])))"
)

_INSERT = text(f"""
WITH kept AS (
  INSERT INTO ledger SELECT * FROM unnest(
    CAST(:position AS bigint[]), CAST(:stream AS text[]), CAST(:version AS integer[]), CAST(:name AS text[]),
    CAST(:schema AS smallint[]), CAST(:data AS bytea[]), CAST(:id AS uuid[]), CAST(:cause AS text[]),
    CAST(:by AS text[]), CAST(:at AS timestamptz[]), CAST(:recorded_at AS timestamptz[]), CAST(:trace AS text[]),
    CAST(:stream_hash AS bytea[]), CAST(:hash AS bytea[]))
), clock AS (
  UPDATE ledger_meta SET clock = 'real' WHERE clock IS NULL
)
SELECT pg_notify('{CHANNEL}', '')
""")

_REMEMBER = text("""
INSERT INTO requests SELECT * FROM unnest(
  CAST(:principal AS text[]), CAST(:key AS text[]), CAST(:digest AS bytea[]), CAST(:answer AS bytea[]),
  CAST(:position AS bigint[]), CAST(:recorded_at AS timestamptz[]))
""")

_KEY = text("""
INSERT INTO keyring SELECT stream, wrapped, (SELECT coalesce(max(change), 0) FROM keyring) + n, clock_timestamp()
  FROM unnest(CAST(:streams AS text[]), CAST(:wrapped AS bytea[])) WITH ORDINALITY AS k(stream, wrapped, n)
    ON CONFLICT (stream) DO UPDATE
   SET wrapped = excluded.wrapped, change = excluded.change, changed_at = excluded.changed_at
""")


class _Group:
    """What the group knows and will write. Versions and claims move as its items pass, one after another."""

    def __init__(self, found: Iterable[Any], standing: list[claims_.Claim]) -> None:
        self.versions: dict[str, int] = {}
        self.hashes: dict[str, bytes] = {}
        self.requests: dict[tuple[str, str], tuple[bytes, int, bytes]] = {}
        for row in found:
            match row.what:
                case "head":
                    self.position: int = row.n
                    self.hash: bytes = row.octets or GENESIS
                    self.now: datetime = max(row.now, row.latest) if row.latest else row.now
                case "stream":
                    self.versions[row.a], self.hashes[row.a] = row.n, row.octets
                case "request":
                    self.requests[row.a, row.b] = (row.octets, row.n, row.answer)
        self.held = claims_.Held(standing)
        self.rows: list[dict[str, Any]] = []
        self.remembered: list[dict[str, Any]] = []
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
            self._add(append, *event)
        if request is not None:
            self.requests[request.principal, request.key] = (request.digest, self.position, append.answer)
            self.remembered.append(
                {
                    "principal": request.principal,
                    "key": request.key,
                    "digest": request.digest,
                    "answer": append.answer,
                    "position": self.position,
                    "recorded_at": self.now,
                }
            )
        touched = {*append.expected, *(stream for stream, _ in append.events)}
        return Receipt(self.position, append.answer, {stream: self.versions.get(stream, 0) for stream in touched})

    def _add(self, append: Any, stream: str, name: str, schema: int, data: bytes, id: Any) -> None:
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
        self.rows.append(
            {
                "position": self.position,
                "stream": stream,
                "version": version,
                "name": name,
                "schema": schema,
                "data": data,
                "id": id,
                "cause": append.cause,
                "by": append.by,
                "at": append.at,
                "recorded_at": self.now,
                "trace": append.trace,
                "stream_hash": own,
                "hash": self.hash,
            }
        )


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


async def commit(connection: AsyncConnection, items: list[Item], *, again: bool) -> list[Receipt | Exception]:
    """Record a group in one transaction; an outcome for each item, in order.

    ``again`` says that an earlier attempt may have been committed without our hearing of it.
    """
    wanted = [claim for item in items for claim in item.append.claims]
    released = [claims_.Claim(kind, "", stream) for item in items for kind, stream in item.append.release]
    streams = {s for item in items for s in (*item.append.expected, *(stream for stream, _ in item.append.events))}
    asked = {(i.append.request.principal, i.append.request.key) for i in items if i.append.request is not None}
    async with connection.begin():
        await connection.execute(_LOCK)
        found = await connection.execute(
            _LOOK_UP, {"streams": sorted(streams), "principals": [p for p, _ in asked], "keys": [k for _, k in asked]}
        )
        standing = await claims_.load(connection, wanted + released) if wanted or released else []
        group = _Group(found.all(), standing)
        earlier = await _recorded_before(connection, items) if again else {}
        results = [earlier[id(item)] if id(item) in earlier else group.take(item) for item in items]
        if group.rows:
            await connection.execute(_INSERT, _columns(group.rows))
        if group.remembered:
            await connection.execute(_REMEMBER, _columns(group.remembered))
        if group.keys:
            await connection.execute(_KEY, {"streams": list(group.keys), "wrapped": list(group.keys.values())})
        await claims_.store(connection, group.held)
    return results


async def _recorded_before(connection: AsyncConnection, items: list[Item]) -> dict[int, Receipt]:
    """Which items without a request stand in the ledger already: their first event has the id that we gave it."""
    firsts = {}
    for item in items:
        if item.encoded and item.append.request is None:
            stream = item.encoded[0][0]
            firsts[stream, item.append.expected.get(stream, 0) + 1, item.encoded[0][4]] = item
    if not firsts:
        return {}
    found = await connection.execute(
        _MINE, {"streams": [s for s, _, _ in firsts], "versions": [v for _, v, _ in firsts]}
    )
    mine = {}
    for stream, version, event_id, position in found:
        hit = firsts.get((stream, version, event_id))
        if hit is not None:
            versions: dict[str, int] = dict(hit.append.expected)
            for event_stream, *_ in hit.encoded:
                versions[event_stream] = versions.get(event_stream, 0) + 1
            mine[id(hit)] = Receipt(position + len(hit.encoded) - 1, hit.append.answer, versions)
    return mine
