"""Read streams, many questions at once: what is asked while one is under way goes into the next together.

So a process that decides many commands at a time asks the database a few times, and each answer still shows all that was
recorded before its question came.
"""

import asyncio
from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.database import driver
from ledger.recorded import Recorded
from ledger.schema import COLUMNS
from ledger.trouble import is_trouble

_READ = f"SELECT {COLUMNS} FROM ledger WHERE stream = ANY($1::text[]) ORDER BY stream, version"

Found = dict[str, list[Recorded]]
_Asked = tuple[Collection[str], asyncio.Future[Found]]


class Streams:
    """The streams of one ledger. Speaks to asyncpg itself, as :mod:`ledger.commit` does: one exchange with the server."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._waiting: list[_Asked] = []
        self._reading: asyncio.Task[None] | None = None

    async def read(self, streams: Collection[str]) -> Found:
        """The events of each of these streams, in order; those without events are left out."""
        found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append((streams, found))
        if self._reading is None:
            self._reading = asyncio.create_task(self._run(), name="streams")
        return await found

    async def _run(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, []
                await self._answer(asked)
        finally:
            self._reading = None

    async def _answer(self, asked: list[_Asked]) -> None:
        try:
            rows = await self._rows({stream for streams, _ in asked for stream in streams})
        except Exception as error:
            if len(asked) > 1 and not is_trouble(error):  # something is the matter with one question, not with all
                for one in asked:
                    await self._answer([one])
                return
            for _, found in asked:
                if not found.done():
                    found.set_exception(error)
            return
        for streams, found in asked:
            if not found.done():
                found.set_result({stream: rows[stream] for stream in streams if stream in rows})

    async def _rows(self, streams: Collection[str]) -> Found:
        found: Found = {}
        async with self._engine.connect() as connection:
            try:
                rows = await (await driver(connection)).fetch(_READ, list(streams))
            except Exception:
                await connection.invalidate()  # SQLAlchemy did not see it fail
                raise
        for row in rows:
            found.setdefault(row[1], []).append(Recorded(*row))
        return found
