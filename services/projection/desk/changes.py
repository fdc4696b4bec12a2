"""What tells open pages that there is something new: server-sent events, all of one process fed by one look.

However many pages are open, one task looks at how far the read models are, once a second and only while there is a page;
no page holds a connection of the database.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import StreamingResponse

from chassis.problems import Unavailable
from ledger.trouble import is_trouble
from services.projection.builds import reading
from services.projection.cut import newest_cut
from services.projection.desk.looking import LoggedIn
from services.projection.desk.pages import DeskRoute

log = structlog.get_logger("desk")
router = APIRouter(route_class=DeskRoute, include_in_schema=False)

LOOK_SECONDS = 1.0
BREATH_SECONDS = 15.0
"""A line is sent this often in any case, so that neither side nor what stands between takes the stream for dead."""
LIFE_SECONDS = 600.0
"""Then the stream ends and the browser comes again: with a session that may have ended, to a process that may be new."""


@dataclass(eq=False, slots=True)
class Watch:
    """Looks for all. ``seen`` is the newest cut, as ``<build>:<position>``."""

    engine: AsyncEngine
    seen: str | None = None
    _pages: int = 0
    _task: asyncio.Task[None] | None = None
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, seconds: float) -> AsyncGenerator[str | None]:
        """What is seen, now and whenever it moves, for so long; None when it has not for a breath."""
        until = time.monotonic() + seconds
        self._pages += 1
        if self._task is None:
            self._task = asyncio.create_task(self._look(), name="desk-changes")
        told: str | None = None
        try:
            while (left := until - time.monotonic()) > 0:
                moved = self._moved
                if self.seen is not None and self.seen != told:
                    told = self.seen
                    yield told
                    continue
                try:
                    async with asyncio.timeout(min(BREATH_SECONDS, left)):
                        await moved.wait()
                except TimeoutError:
                    yield None
        finally:
            self._pages -= 1
            if self._pages == 0 and self._task is not None:
                self._task.cancel()
                self._task, self.seen = None, None

    async def _look(self) -> None:
        while True:
            seen = self.seen
            try:
                async with reading(self.engine) as (connection, build):
                    seen = f"{build.id}:{(await newest_cut(connection, build.handler)).position}"
            except Exception as error:
                if not (isinstance(error, Unavailable) or is_trouble(error)):
                    log.exception("changes-not-seen")
            if seen != self.seen:
                self.seen = seen
                self._moved.set()
                self._moved = asyncio.Event()
            await asyncio.sleep(LOOK_SECONDS)


@router.get("/changes")
async def changes(request: Request, session: LoggedIn) -> StreamingResponse:
    """``event: moved`` with the place that has been reached, at once and then whenever it changes."""
    state: Any = request.app.state
    watch: Watch | None = getattr(state, "desk_watch", None)
    if watch is None:
        watch = state.desk_watch = Watch(state.projection.engine)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(watch), media_type="text/event-stream", headers=headers)


async def _stream(watch: Watch) -> AsyncIterator[str]:
    yield "retry: 3000\n\n"
    async with aclosing(watch.follow(LIFE_SECONDS)) as follow:
        async for seen in follow:
            yield ": \n\n" if seen is None else f"event: moved\ndata: {seen}\n\n"
