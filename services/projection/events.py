"""事件 an index of all events that read models are made of: what stands behind a figure, and which position a moment
was. It holds no content: that stays in the ledger."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Index, Integer, Table, Text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.deliver import Delivered
from services.projection.lens import Lens
from services.projection.tables import Code, Moment, Position, ask, insert, metadata

EVENTS_VERSION = 1

events = Table(
    "events",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=False),
    Column("stream", Code, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", Code, nullable=False),
    Column("id", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
)
Index("events_of_stream", events.c.stream, events.c.position)
Index("events_recorded", events.c.recorded_at, events.c.position)


async def project(connection: AsyncConnection, delivered: Sequence[Delivered]) -> None:
    """Take up events of any topic of the registry. What is there already stays, where a watermark was set back."""
    rows = {
        d.meta.position: (
            d.meta.position,
            d.meta.stream,
            d.meta.version,
            d.meta.type,
            d.meta.id,
            d.meta.by,
            d.meta.at,
            d.meta.recorded_at,
        )
        for d in delivered
    }
    await insert(connection, events, list(rows.values()), again=True)


async def of_streams(
    connection: AsyncConnection, lens: Lens, streams: Iterable[str]
) -> dict[str, list[dict[str, Any]]]:
    """The events of these streams up to the cut, in order. Whoever asks may see the streams: that is not looked at here."""
    statement = """SELECT position, stream, version, name, id, by, at, recorded_at FROM events
        WHERE stream = ANY(CAST(:streams AS text[])) AND position <= :known ORDER BY position"""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in await ask(connection, statement, lens.params() | {"streams": sorted(set(streams))}):
        found.setdefault(row["stream"], []).append(dict(row))
    return found
