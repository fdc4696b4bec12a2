"""Who publishes: whoever holds a lock in the ledger's database, on a connection that does nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.ending import ended
from ledger.trouble import is_trouble, named

T = TypeVar("T")

POLL_SECONDS = 1.0
ANSWER_SECONDS = 5.0
# The server ends the session of a leader that is frozen or cut off, so that its lock is free for another. A leader
# that gets no answer has given up before: POLL + ANSWER < IDLE.
IDLE_SECONDS = 10

_LOCK = text("SELECT pg_try_advisory_lock(hashtext('xiapai.relay'))")


class LeadershipLost(Exception):
    """The connection that held the lock is gone; another may publish by now."""


class Leadership:
    """The lock and its connection. ``async with`` waits, for ever, until the lock is ours."""

    def __init__(self, engine: AsyncEngine, alive: Callable[[], None]) -> None:
        self._engine, self._alive = engine, alive
        self._connection: AsyncConnection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> "Leadership":
        try:
            while not await self._try():
                self._alive()
                await asyncio.sleep(POLL_SECONDS)
        except BaseException:
            await self._drop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drop()

    async def _try(self) -> bool:
        if self._connection is None:
            connection = await self._engine.connect()
            self._connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await self._connection.execute(text(f"SET idle_session_timeout = '{IDLE_SECONDS}s'"))
            # A checkpoint that a crash of the database forgets only makes duplicates.
            await self._connection.execute(text("SET synchronous_commit = off"))
        return bool(await self._connection.scalar(_LOCK))

    async def ask(self, question: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do something on the connection that holds the lock: that it works proves that the lock is held.

        Raises:
            LeadershipLost: no answer came, or the connection broke.
        """
        async with self._one_at_a_time:
            if self._connection is None:
                raise LeadershipLost("the lock was given up")
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await question(self._connection)
            except asyncio.CancelledError:
                # An answer half read makes the connection useless.
                await self._drop()
                raise
            except Exception as error:
                if not is_trouble(error):
                    raise
                await self._drop()
                raise LeadershipLost(named(error)) from error

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return

        async def close() -> None:
            await connection.invalidate()
            await connection.close()

        with suppress(Exception):
            async with asyncio.timeout(2.0):
                await close()


async def first_to_end(*parts: Awaitable[Any]) -> None:
    """Run together; when one ends or fails, cancel the others, wait for them, and fail as it did."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await ended(tasks)
    for task in done:
        task.result()
