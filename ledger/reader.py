"""Read the ledger: a stream, from a position, or as it grows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

from sqlalchemy import Row, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.database import driver
from ledger.recorded import Recorded
from ledger.schema import events, meta

CHANNEL = "ledger"
_columns = tuple(events.c)
_stream = select(*_columns).order_by(events.c.stream, events.c.version)
_tail = select(*_columns).order_by(events.c.position)


def _recorded(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[Recorded]:
    return [Recorded(*row) for row in rows]


async def read_stream(connection: AsyncConnection, stream: str, after: int = 0) -> list[Recorded]:
    """The events of one stream with a version greater than ``after``, in order."""
    found = await connection.execute(_stream.where(events.c.stream == stream, events.c.version > after))
    return _recorded(found.all())


async def read(connection: AsyncConnection, after: int, limit: int) -> list[Recorded]:
    """At most ``limit`` events with a position greater than ``after``, in order. Positions have no gaps, so a plain
    cursor over them never passes over a commit in flight."""
    found = await connection.execute(_tail.where(events.c.position > after).limit(limit))
    return _recorded(found.all())


async def head(connection: AsyncConnection) -> int:
    """The position of the newest event (0: none)."""
    found = await connection.scalar(select(func.coalesce(func.max(events.c.position), 0)))
    return int(found or 0)


async def epoch(connection: AsyncConnection) -> str:
    """The name of this ledger's life: a new one after each restore from a backup."""
    return str(await connection.scalar(select(meta.c.epoch)))


class Bell:
    """Rings when the ledger grows. NOTIFY wakes at once; where the listening connection is lost, the wait just ends
    after its time-out, so that a caller who then looks is never late by more than that."""

    def __init__(self, engine: AsyncEngine, poll: float = 1.0) -> None:
        self._engine, self._poll = engine, poll
        self._rung = asyncio.Event()
        self._connection: AsyncConnection | None = None

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            await self._connection.invalidate()
            await self._connection.close()

    async def _listen(self) -> None:
        try:
            if self._connection is not None:
                await self._connection.close()
            self._connection = await self._engine.connect()
            await (await driver(self._connection)).add_listener(CHANNEL, lambda *_: self._rung.set())
        except (DBAPIError, OSError):
            self._connection = None

    async def wait(self) -> None:
        """Return when the ledger has grown since the last wait, or the poll's time is over."""
        try:
            async with asyncio.timeout(self._poll):
                await self._rung.wait()
        except TimeoutError:
            raw = None
            if self._connection is not None and not self._connection.closed:
                raw = await driver(self._connection)
            if raw is None or raw.is_closed():
                await self._listen()
        self._rung.clear()


async def follow(
    engine: AsyncEngine, after: int, *, limit: int = 1000, poll: float = 1.0
) -> AsyncIterator[list[Recorded]]:
    """Everything after a position, for ever: portions of at most ``limit`` events, in order, as the ledger grows."""
    async with Bell(engine, poll) as bell:
        while True:
            async with engine.connect() as connection:
                portion = await read(connection, after, limit)
            if portion:
                after = portion[-1].position
                yield portion
            else:
                await bell.wait()
