"""What relay and worker processes run: one relay a ledger, one worker with the handlers of all its services."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from chassis.health import Check, Condition, Degraded, Fine, Missing
from chassis.metrics import Disk, Metrics
from chassis.service import Service
from chassis.settings import Settings
from chassis.tools import check_service, kafka_settings, open_engine, open_tools
from chassis.work_metrics import RelayMetrics, WorkerMetrics
from ledger.relay import Relay
from ledger.worker import Worker

STUCK_SECONDS = 60.0
"""Without progress for so long, a process is not alive: its loops turn at least every few seconds, also when idle."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """What runs until it is cancelled, by name, and how to see that it gets on."""

    tasks: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    live: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)


Running = AbstractAsyncContextManager[Jobs]


@asynccontextmanager
async def open_relays(services: Sequence[Service], settings: Settings) -> AsyncIterator[Jobs]:
    """One relay for each service that writes topics."""
    kafka = kafka_settings(settings)
    jobs, relays = Jobs(), {}
    async with AsyncExitStack() as stack:
        for service in services:
            if not service.topics:
                continue
            engine = open_engine(service, settings)
            stack.push_async_callback(engine.dispose)
            await check_service(service, engine)
            relay = Relay(engine, kafka, service.name, service.topics)
            name = f"relay-{service.name}"
            jobs.tasks[name] = relay.run
            jobs.live[name] = partial(_relay_lives, relay)
            jobs.ready[name] = partial(_relay_untroubled, relay)
            jobs.metrics.databases.add(service.name, engine)
            relays[service.name] = relay
        jobs.metrics.add(RelayMetrics(relays), Disk(settings.data))
        yield jobs


@asynccontextmanager
async def open_workers(services: Sequence[Service], settings: Settings) -> AsyncIterator[Jobs]:
    """One worker for all handlers, and every service's background work."""
    jobs = Jobs()
    async with AsyncExitStack() as stack:
        opened = []
        for service in services:
            tools = await stack.enter_async_context(open_tools(service, settings, jobs.metrics))
            jobs.metrics.databases.add(service.name, tools.engine, service.measures)
            work = await stack.enter_async_context(service.open_work(tools))
            opened.append((service, tools, work))
        worker = Worker(f"{settings.topic_prefix}xiapai", kafka_settings(settings), services[0].codec)
        for service, tools, work in opened:
            worker.add(tools.engine, *work.handlers)
            for name, job in work.background.items():
                jobs.tasks[f"{service.name}-{name}"] = job
            jobs.ready.update({f"{service.name}-{name}": check for name, check in work.ready.items()})
        jobs.tasks["worker"] = worker.run
        jobs.live["worker"] = partial(_worker_lives, worker)
        jobs.ready["worker"] = partial(_worker_untroubled, worker)
        jobs.metrics.add(WorkerMetrics(worker), Disk(settings.data))
        yield jobs


def _moving(still: float) -> Condition:
    return Fine() if still < STUCK_SECONDS else Missing(f"no progress for {still:.0f} s")


async def _relay_lives(relay: Relay) -> Condition:
    # One that waits for the lead makes no progress of its own.
    return _moving(monotonic() - relay.last_progress) if relay.is_leader else Fine()


async def _relay_untroubled(relay: Relay) -> Condition:
    return Degraded(relay.trouble) if relay.trouble else Fine()


async def _worker_lives(worker: Worker) -> Condition:
    return _moving(worker.health.stalled_seconds)


async def _worker_untroubled(worker: Worker) -> Condition:
    missing = worker.health.missing
    return Degraded("; ".join(f"{name}: {what}" for name, what in missing.items())) if missing else Fine()
