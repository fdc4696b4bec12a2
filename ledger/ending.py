"""To end tasks and clients for certain.

A cancellation can be lost on its way: aiokafka's client waits, while it closes, for a task of its own that it has
cancelled, and takes whatever cancellation comes then for that task's. Whoever was to end then goes on for ever, and who
waits for the end waits for ever.
"""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

AGAIN_SECONDS = 15.0
"""Longer than any of our tasks takes to end in good order, which a second cancellation would cut short."""

_closing: set[asyncio.Task[Any]] = set()


async def closed(closing: Coroutine[Any, Any, Any]) -> None:
    """Close something in a task of its own. Cancelled meanwhile, we end at once, and it is closed all the same."""
    task = asyncio.ensure_future(closing)
    _closing.add(task)
    task.add_done_callback(_closing.discard)
    await asyncio.shield(task)


async def ended(tasks: Iterable[asyncio.Future[Any]], again: float = AGAIN_SECONDS) -> None:
    """Cancel these, again after so many seconds, until all have come to an end. Whoever wants to know of a failure asks
    the task; of one that nobody asks for the loop does not complain."""
    tasks = list(tasks)
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=again)
    for task in tasks:
        if not task.cancelled():
            task.exception()


async def all_of(parts: Iterable[Awaitable[T]]) -> list[T]:
    """What these come to, side by side. All come to their end before one failure is told, else a retry would run beside
    what is still under way."""
    came: list[T] = []
    for end in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(end, BaseException):
            raise end
        came.append(end)
    return came
