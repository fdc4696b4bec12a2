"""What relay and worker processes run: one relay a ledger, one worker a service with all its handlers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from chassis.health import Check, Condition, Degraded, Fine, Missing
from chassis.service import Service
from chassis.settings import Settings
from chassis.tools import check_service, kafka_settings, open_engine, open_tools
from ledger.relay import Relay

STUCK_SECONDS = 60.0
"""Without progress for so long, a process is not alive: its loops turn at least every few seconds, also when idle."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """Jobs that run until they are cancelled, and how to see that they get on."""

    tasks: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    live: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)


Running = AbstractAsyncContextManager[Jobs]


def _moves(progress: Callable[[], float]) -> Check:
    async def check() -> Condition:
        still = monotonic() - progress()
        return Fine() if still < STUCK_SECONDS else Missing(f"no progress for {still:.0f} s")

    return check


@asynccontextmanager
async def open_relays(services: Sequence[Service], settings: Settings) -> AsyncIterator[Jobs]:
    """One relay for each service that writes topics."""
    kafka = kafka_settings(settings)
    work = Jobs()
    async with AsyncExitStack() as stack:
        for service in services:
            if not service.topics:
                continue
            engine = open_engine(service, settings)
            stack.push_async_callback(engine.dispose)
            await check_service(service, engine)
            relay = Relay(engine, kafka, service.name, service.topics)
            work.tasks[f"relay-{service.name}"] = relay.run
            work.live[f"relay-{service.name}"] = _moves(lambda relay=relay: relay.last_progress)  # type: ignore[misc]
            work.ready[f"relay-{service.name}"] = _untroubled(relay)
        yield work


def _untroubled(relay: Relay) -> Check:
    async def check() -> Condition:
        return Degraded(relay.trouble) if relay.trouble else Fine()

    return check


@asynccontextmanager
async def open_workers(services: Sequence[Service], settings: Settings) -> AsyncIterator[Jobs]:
    """One worker for each service, and its background work."""
    kafka = kafka_settings(settings)
    work = Jobs()
    async with AsyncExitStack() as stack:
        for service in services:
            tools = await stack.enter_async_context(open_tools(service, settings))
            own = await stack.enter_async_context(service.open_work(tools))
            for name, job in own.background.items():
                work.tasks[f"{service.name}-{name}"] = job
        yield work
