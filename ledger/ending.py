"""To end tasks and clients for certain.

A cancellation can be lost on its way: aiokafka's client waits, while it closes, for a task of its own that it has
cancelled, and takes whatever cancellation comes then for that task's. Whoever was to end then goes on for ever, and who
waits for the end waits for ever.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

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
    """Cancel these, again after so many seconds, until all have come to an end; their failures are theirs to tell."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=again)
