"""Append to the ledger, many at once: the one appender of a process serves commands, reactions, the clock and imports.

Whatever waits when a transaction begins goes into it together. Each item still stands alone: a repeated request gets
its first answer, a conflict fails by itself, the rest are recorded.
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from uuid import uuid4

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xiapai_contracts.event import Codec

from ledger import group, tracing
from ledger.claims import ClaimTaken
from ledger.database import driver
from ledger.ending import ended
from ledger.entry import Append, Item, KeyReused, Receipt, Request, Settled, Unavailable, VersionConflict
from ledger.head import Head
from ledger.trouble import is_trouble, named

__all__ = [
    "Append",
    "Appender",
    "ClaimTaken",
    "KeyReused",
    "Receipt",
    "Request",
    "Settled",
    "Unavailable",
    "VersionConflict",
]

log = logging.getLogger(__name__)

GROUP_LIMIT = 512
"""Items in one transaction at most: bounds the memory of a group and the time that a reader's lock waits."""

PATIENCE_SECONDS = 30.0


class Appender:
    """Group commit into one ledger. Start it with ``async with``; one per process and ledger. ``observe`` is told of
    every group that came to its end. ``trouble`` is empty while the database takes what it is given, else it says in a
    few words what was the matter the last time."""

    def __init__(
        self,
        engine: AsyncEngine,
        codec: Codec,
        *,
        patience: float = PATIENCE_SECONDS,
        observe: Callable[[Settled], None] | None = None,
    ) -> None:
        self._engine, self._codec, self._patience, self._observe = engine, codec, patience, observe
        self._waiting: asyncio.Queue[Item] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._connection: AsyncConnection | None = None
        self._head = Head()
        self.trouble = ""

    async def __aenter__(self) -> "Appender":
        self._task = asyncio.create_task(self._run(), name="appender")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        await self._waiting.join()
        await ended([self._task])
        await self._disconnect()

    async def append(self, append: Append) -> Receipt:
        """Record it durably.

        Raises:
            VersionConflict: a stream that was read has moved on.
            ClaimTaken: another stream holds a claim.
            KeyReused: the request's key was used with another body.
            Unavailable: the database stayed away.
        """
        assert self._task is not None and not self._task.done(), "the appender is not running"
        encoded = [
            (stream, event.event_name, event.event_version, self._codec.encode(event), uuid4())
            for stream, event in append.events
        ]
        with tracing.step("append", {"xiapai.events": len(encoded)}) as trace:
            item = Item(append, encoded, asyncio.get_running_loop().create_future(), trace)
            self._waiting.put_nowait(item)
            receipt = await item.done
            tracing.note({"xiapai.position": receipt.position})
            return receipt

    async def _run(self) -> None:
        while True:
            items = [await self._waiting.get()]
            while len(items) < GROUP_LIMIT and not self._waiting.empty():
                items.append(self._waiting.get_nowait())
            try:
                await self._settle(items)
            except BaseException as error:
                for item in items:
                    if not item.done.done():
                        item.done.set_exception(error if isinstance(error, Exception) else Unavailable("stopping"))
                if not isinstance(error, Exception):
                    raise
            finally:
                for _ in items:
                    self._waiting.task_done()

    async def _settle(self, items: list[Item], *, again: bool = False) -> None:
        """Bring the group to a known end. A connection that breaks during COMMIT leaves the outcome unknown, so every
        further attempt first looks up what the one before it may have recorded. What the database cannot hold fails
        alone: the group that it was in is settled one by one."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self._patience, 0.05
        while True:
            try:
                if self._connection is None:
                    self._connection = await self._engine.connect()
                began = monotonic()
                with tracing.linked("commit", [item.trace for item in items], {"xiapai.items": len(items)}):
                    connection = await driver(self._connection)
                    results = await group.commit(connection, items, head=self._head, again=again)
                ended = monotonic()
                break
            except Exception as error:
                await self._disconnect()
                if not is_trouble(error):
                    if len(items) == 1:
                        raise
                    return await self._one_by_one(items)
                again = True
                if loop.time() + pause > deadline:
                    raise Unavailable("the database cannot be reached; the same request may be sent again") from error
                self._say(named(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
        self._say("")
        for item, result in zip(items, results, strict=True):
            if item.done.done():
                continue
            if isinstance(result, Exception):
                item.done.set_exception(result)
            else:
                item.done.set_result(result)
        if self._observe is not None:
            self._observe(Settled(ended - began, [ended - item.since for item in items], results))

    async def _one_by_one(self, items: list[Item]) -> None:
        for item in items:
            try:
                await self._settle([item], again=True)
            except Exception as error:
                if not item.done.done():
                    item.done.set_exception(error)

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.warning("the ledger's database takes nothing, trying again: %s", trouble)
        self.trouble = trouble

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.invalidate()
                await connection.close()
            except (DBAPIError, OSError):
                pass
