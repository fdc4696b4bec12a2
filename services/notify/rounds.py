"""Background work in rounds: what is there to do now, until nothing is left; then a look each second."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ledger.ending import all_of
from ledger.entry import Unavailable
from ledger.trouble import is_trouble
from services.notify.outbox import Due

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


async def go_on(round: Callable[[], Awaitable[int]]) -> None:
    """Until cancelled. ``round`` says how much there was. Where the database is away, tries again; nothing is lost, since
    nothing was taken out."""
    while True:
        try:
            done = await round()
        except Exception as error:
            if not is_trouble(error) and not isinstance(error, Unavailable):
                raise
            log.warning("the database is away, reminders wait: %s", type(error).__name__)
            done = 0
        if not done:
            await asyncio.sleep(POLL_SECONDS)


async def each(of: Sequence[Due], do: Callable[[Due], Awaitable[Any]]) -> int:
    """Side by side; how many there were."""
    return len(await all_of(do(due) for due in of))
