"""Parked records: what a handler could not take, and what waits behind it, stream by stream, in order."""

import base64
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xiapai_contracts.event import Codec
from xiapai_contracts.record import KEY_CHANGED, Headers, from_headers

from ledger import watermark
from ledger.database import driver
from ledger.reason import reason_of
from ledger.schema import dead_letters as table
from ledger.sift import Delivered, Letter
from ledger.trouble import is_trouble

log = logging.getLogger(__name__)

Apply = Callable[[AsyncConnection, Sequence[Delivered]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Parked:
    """The queue of one stream (None: one unreadable record) of a handler. ``reason`` and ``id`` are its first
    letter's, ``count`` how many wait."""

    handler: str
    topic: str
    partition: int
    stream: str | None
    id: int
    position: int | None
    reason: str
    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a stream's queue: ``applied`` were taken, ``left`` wait still, the first of them for ``reason``."""

    handler: str
    stream: str
    applied: int
    left: int
    reason: str


def _headers_out(headers: Headers) -> list[list[str]]:
    return [[name, base64.b64encode(value or b"").decode()] for name, value in headers]


def _headers_in(stored: Any) -> Headers:
    return [(name, base64.b64decode(value)) for name, value in stored]


async def park(connection: AsyncConnection, handler: str, letters: Sequence[Letter]) -> None:
    """Put letters behind what waits already. One that is parked already (the reader came by again) is left."""
    for letter in letters:
        values = {
            "handler": handler,
            "topic": letter.topic,
            "partition": letter.partition,
            "offset": letter.offset,
            "stream": letter.stream,
            "epoch": letter.epoch,
            "position": letter.position,
            "key": letter.key,
            "value": letter.value,
            "headers": _headers_out(letter.headers),
            "reason": letter.reason,
            "parked_at": func.now(),
        }
        if letter.position is None:
            same = select(table.c.id).where(
                table.c.handler == handler,
                table.c.topic == letter.topic,
                table.c.partition == letter.partition,
                table.c.offset == letter.offset,
                table.c.position.is_(None),
                table.c.value.is_not_distinct_from(letter.value),
                table.c.headers == literal(values["headers"], table.c.headers.type),
            )
            if (await connection.execute(same)).first() is not None:
                continue
        await connection.execute(insert(table).values(**values).on_conflict_do_nothing())


_PARKED = "SELECT DISTINCT stream FROM dead_letters WHERE handler = $1 AND stream = ANY($2::text[])"


async def parked_streams(connection: AsyncConnection, handler: str, streams: Collection[str]) -> set[str]:
    """Those of ``streams`` that wait in this handler."""
    found = await (await driver(connection)).fetch(_PARKED, handler, list(streams))
    return {row["stream"] for row in found}


async def list_parked(engine: AsyncEngine, handler: str | None = None) -> list[Parked]:
    """All queues, oldest first."""
    query = text("""
        SELECT handler, topic, partition, stream, id, position, reason,
               CASE WHEN stream IS NULL THEN 1 ELSE n END AS count, parked_at
          FROM (SELECT *, count(*) OVER w AS n, row_number() OVER (w ORDER BY id) AS place
                  FROM dead_letters WHERE CAST(:handler AS text) IS NULL OR handler = :handler
                WINDOW w AS (PARTITION BY handler, stream)) AS queues
         WHERE place = 1 OR stream IS NULL ORDER BY id
    """)
    async with engine.connect() as connection:
        return [Parked(*row) for row in await connection.execute(query, {"handler": handler})]


async def replay(
    engine: AsyncEngine, handler: str, apply: Apply, codec: Codec, stream: str | None = None
) -> list[Replayed]:
    """Apply the queue of one stream, or of each, in order; what is taken leaves the queue, and the first that is not
    stops it. A worker may be running: newer events of the stream wait behind the queue until it is empty.

    Raises:
        DBAPIError: the database went away; what was not committed waits as before.
    """
    query = select(table.c.stream).distinct().where(table.c.handler == handler, table.c.stream.is_not(None))
    async with engine.connect() as connection:
        streams = [row.stream for row in await connection.execute(query.order_by(table.c.stream))]
    done = []
    for one in streams:
        if stream is None or one == stream:
            async with engine.begin() as connection:
                done.append(await _replay_stream(connection, handler, apply, codec, one))
    return done


async def _replay_stream(
    connection: AsyncConnection, handler: str, apply: Apply, codec: Codec, stream: str
) -> Replayed:
    mine = (table.c.handler == handler, table.c.stream == stream)
    # Whoever holds the watermarks of the queue's partitions is the only one who adds to the queue.
    places: set[tuple[str, int]] = set()
    while True:
        found = await connection.execute(select(table.c.topic, table.c.partition).distinct().where(*mine))
        wanted = {(row.topic, row.partition) for row in found}
        if wanted <= places:
            break
        places |= wanted
        await watermark.take(connection, handler, places)
    rows = (await connection.execute(select(table).where(*mine).order_by(table.c.id))).all()
    applied, reason = 0, ""
    for row in rows:
        try:
            async with connection.begin_nested():
                await apply(connection, [_delivered(row, codec)])
        except Exception as error:
            if is_trouble(error):
                raise
            reason = reason_of(error)
            await connection.execute(update(table).where(table.c.id == row.id).values(reason=reason))
            break
        await connection.execute(delete(table).where(table.c.id == row.id))
        applied += 1
    return Replayed(handler, stream, applied, len(rows) - applied, reason)


def _delivered(row: Any, codec: Codec) -> Delivered:
    meta = from_headers(_headers_in(row.headers))
    event = None
    if meta.type != KEY_CHANGED:
        event = codec.decode(meta.type, meta.schema, row.value or b"")
    value = None if row.value is None else bytes(row.value)
    return Delivered(meta, row.topic, row.partition, row.offset, event, value)


async def discard(
    engine: AsyncEngine, handler: str, *, by: str, ids: Collection[int] | None = None, stream: str | None = None
) -> int:
    """Give up letters, by their ids or all of a stream: this handler never sees them. Says so in the log, with ``by``;
    how many there were."""
    if (ids is None) == (stream is None):
        raise ValueError("say either ids or a stream")
    which: ColumnElement[bool] = table.c.id.in_(list(ids)) if ids is not None else table.c.stream == stream
    async with engine.begin() as connection:
        gone = (
            await connection.execute(
                delete(table)
                .where(table.c.handler == handler, which)
                .returning(table.c.id, table.c.topic, table.c.partition, table.c.position, table.c.stream)
            )
        ).all()
    for row in gone:
        log.warning(
            "dead letter discarded: handler=%s id=%s topic=%s partition=%s position=%s stream=%s by=%s",
            handler,
            row.id,
            row.topic,
            row.partition,
            row.position,
            row.stream,
            by,
        )
    return len(gone)
