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

from ledger import tracing
from ledger.claims import ClaimTaken
from ledger.commit import commit
from ledger.database import driver
from ledger.ending import ended
from ledger.entry import Append, Item, KeyReused, Receipt, Request, Settled, Unavailable, VersionConflict
from ledger.foreseen import Foreseen
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

HALVED_FROM = 16
"""Where so many wait for one group alone, they go on in two halves, the one decided while the other is written: 32 writers
a quarter faster. Of fewer, half a group is hardly cheaper to write than a whole one (8 writers: a fifth slower)."""

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
        self._waiting: list[Item] = []
        self._arrived, self._closing = asyncio.Event(), False
        self._task: asyncio.Task[None] | None = None
        self._connection: AsyncConnection | None = None
        self._head = Head()
        self._next: Foreseen | None = None
        self.trouble = ""

    async def __aenter__(self) -> "Appender":
        self._task = asyncio.create_task(self._run(), name="appender")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._closing = True
        self._arrived.set()
        try:
            await self._task
        finally:
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
            self._waiting.append(item)
            self._arrived.set()
            self._foresee()
            receipt = await item.done
            tracing.note({"xiapai.position": receipt.position})
            return receipt

    def _foresee(self) -> None:
        """Decide already what waits, while the server writes the group before it."""
        if self._next is not None and not self._next.failed:
            for item in self._waiting[len(self._next.receipts) : GROUP_LIMIT]:
                self._next.take(item)

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            items, self._waiting = self._waiting[:GROUP_LIMIT], self._waiting[GROUP_LIMIT:]
            try:
                await self._settle(items)
            except BaseException as error:
                for item in items:
                    if not item.done.done():
                        item.done.set_exception(error if isinstance(error, Exception) else Unavailable("stopping"))
                if not isinstance(error, Exception):
                    raise

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
                    foreseen = self._foreseen(items, again)
                    loop.call_soon(self._foresee)
                    results = await commit(connection, items, head=self._head, foreseen=foreseen, again=again)
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
        if self._observe is not None:
            self._observe(Settled(ended - began, [ended - item.since for item in items], results))
        if len(items) < HALVED_FROM or self._waiting:
            _tell(items, results)
            return
        # The second half is told when what the first half does next is on its way to the server.
        half = len(items) // 2
        _tell(items[:half], results[:half])
        await asyncio.sleep(0)
        loop.call_soon(_tell, items[half:], results[half:])

    def _foreseen(self, items: list[Item], again: bool) -> Foreseen | None:
        """The group as decided on what the process knows, its first items while the one before it was written; None where
        it has to be looked up."""
        made, self._next = self._next, None
        if again or not self._head.ours:
            return None
        if made is None or not made.follows:
            made = Foreseen(self._head)
        for item in items[len(made.receipts) :]:
            made.take(item)
        if made.failed or not made.group.rows:
            return None
        self._next = Foreseen(self._head, made)
        return made

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


def _tell(items: list[Item], results: list[Receipt | Exception]) -> None:
    for item, result in zip(items, results, strict=True):
        if item.done.done():
            continue
        if isinstance(result, Exception):
            item.done.set_exception(result)
        else:
            item.done.set_result(result)
