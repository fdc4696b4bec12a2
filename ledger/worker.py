"""The worker process: a Faust app that supervises one reader for each handler, and timers. The only importer of Faust.

Of Faust it uses the app, the life of services and their supervision. The app's own consumer, producer, agents, tables
and web server are never started: see docs/adr on delivery for what was measured of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

import faust
from faust.app.base import BootStrategy
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.event import Codec

from ledger.consume import STOP_SECONDS, Reader
from ledger.deliver import Handler
from ledger.kafka import KafkaSettings


@dataclass(frozen=True, slots=True)
class Health:
    """``stalled_seconds`` since the slowest reader last went round its loop; ``missing`` says what stands in the way of
    being ready, by handler; ``lag`` counts records behind, ``unreadable`` those parked raw since the start."""

    stalled_seconds: float
    missing: dict[str, str]
    lag: dict[str, int]
    unreadable: dict[str, int]


class _Reading(faust.Service):
    def __init__(self, reader: Reader, **options: Any) -> None:
        super().__init__(**options)
        self.reader = reader

    def _repr_info(self) -> str:
        return self.reader.handler.name

    @faust.Service.task
    async def _read(self) -> None:
        await self.reader.run()

    async def on_stop(self) -> None:
        # Mode cancels a service's tasks after this: let the batch at hand be finished first.
        self.reader.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self.reader.ended.wait()


class _Ticking(faust.Service):
    def __init__(self, seconds: float, call: Callable[[], Awaitable[None]], **options: Any) -> None:
        super().__init__(**options)
        self._seconds, self._call = seconds, call

    @faust.Service.task
    async def _tick(self) -> None:
        async for _ in self.itertimer(self._seconds):
            await self._call()


class _Boot(BootStrategy):
    """Starts our services and none of Faust's own, which would connect to the broker by themselves."""

    def server(self) -> Iterable[Any]:
        return cast(_App, self.app).ours


class _App(faust.App):
    BootStrategy = _Boot
    ours: list[faust.Service]

    async def on_first_start(self) -> None:
        """No tables, so no data folder."""


class Worker:
    """Readers and timers of one process.

    ``app_id`` names the process in Faust's logs. Add handlers and timers, then ``run``.
    """

    def __init__(self, app_id: str, settings: KafkaSettings, codec: Codec) -> None:
        self._app_id, self._settings, self._codec = app_id, settings, codec
        self._services: list[Any] = []
        self.readers: list[Reader] = []

    def add(self, engine: AsyncEngine, *handlers: Handler) -> None:
        """Deliver to these handlers, whose tables and watermarks lie in the database of ``engine``."""
        for handler in handlers:
            self.readers.append(Reader(engine, self._settings, self._codec, handler))

    def every(self, seconds: float, call: Callable[[], Awaitable[None]]) -> None:
        """Call again and again; a failure of the call ends the worker."""
        self._services.append((seconds, call))

    @property
    def health(self) -> Health:
        missing = {}
        for reader in self.readers:
            if reader.trouble:
                missing[reader.handler.name] = reader.trouble
            elif reader.alarms:
                places = ", ".join(f"{topic}/{number}" for topic, number in sorted(reader.alarms))
                missing[reader.handler.name] = f"events are missing in {places}"
        now = monotonic()
        return Health(
            stalled_seconds=max((now - reader.last_progress for reader in self.readers), default=0.0),
            missing=missing,
            lag={reader.handler.name: reader.lag for reader in self.readers},
            unreadable={reader.handler.name: reader.unreadable for reader in self.readers},
        )

    async def run(self) -> None:
        """Run until cancelled (which lets every reader finish its batch), or until something fails that is neither the
        broker's nor the database's fault: that failure is raised, and the process should end with it."""
        app = _App(
            self._app_id,
            broker=f"kafka://{self._settings.bootstrap.split(',')[0]}",
            store="memory://",
            topic_disable_leader=True,
            web_enabled=False,
            autodiscover=False,
            loop=asyncio.get_running_loop(),
        )
        app.ours = [_Reading(reader, beacon=app.beacon) for reader in self.readers]
        app.ours += [_Ticking(seconds, call, beacon=app.beacon) for seconds, call in self._services]
        try:
            await app.start()
            await app.wait_until_stopped()
        finally:
            for reader in self.readers:
                reader.stop()
            await app.stop()
        failed = [service.crash_reason for service in (app, *app.ours) if service.crash_reason is not None]
        if failed:
            raise failed[0]
