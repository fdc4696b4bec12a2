"""人来人往: workers join, are told to leave, are killed, and freeze past their session; the rest go on where they stood."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.kafka import KafkaSettings, ensure_topics
from ledger.relay import Relay
from tests.conftest import Scale
from tests.infra.servers import Infra
from tests.ledger.kafka_support import (
    TOPICS,
    applied,
    fill,
    ledger,
    make_shelf,
    process,
    record,
    running,
    says,
    settings_for,
    until,
    verdict,
)

NAIVE = "tests.faults.naive"


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    async with ledger(database) as made:
        await make_shelf(made)
        yield made


class Crew:
    """Workers of one kind in processes of their own, of one consumer group."""

    def __init__(self, stack: AsyncExitStack, database: str, kafka: KafkaSettings, kind: str, role: str) -> None:
        self._stack, self._database, self._kafka, self._kind, self._role = stack, database, kafka, kind, role

    async def joined(self) -> asyncio.subprocess.Process:
        module = "tests.ledger.process" if self._role == "worker" else NAIVE
        one = process(self._role, self._database, self._kafka, self._kind, module)
        return await self._stack.enter_async_context(one)


class Events:
    """Recorded all the while, a few at a time; ``count`` of them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine, self.count = engine, 0

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        done = asyncio.Event()
        feeding = asyncio.ensure_future(self._feed(done))
        try:
            yield
        finally:
            done.set()
            await feeding

    async def _feed(self, done: asyncio.Event) -> None:
        while not done.is_set():
            self.count = await record(self._engine, *fill(20, jars=20, start=self.count), pause=0.05)


def tell(signal_: signal.Signals, workers: list[asyncio.subprocess.Process]) -> None:
    for one in workers:
        one.send_signal(signal_)


async def test_whoever_comes_and_goes_every_event_is_applied_once_and_in_order_and_a_frozen_worker_writes_nothing(
    database: str, engine: AsyncEngine, infra: Infra, topic_prefix: str, scale: Scale
) -> None:
    """Frozen in the middle of a batch, a worker holds the lock of its watermarks until the server ends its session. The
    naive ones beside, which commit their offsets when they have applied, go through the same."""
    kafka = settings_for(infra.kafka, infra.kafka_kind, topic_prefix)
    events = Events(engine)
    await ensure_topics(kafka, TOPICS)

    async def all_there() -> bool:
        return len(await applied(engine)) >= events.count

    async with running(Relay(engine, kafka, "shelf", TOPICS).run()), AsyncExitStack() as stack:
        crews = [Crew(stack, database, kafka, infra.kafka_kind, role) for role in ("worker", "commit-afterwards")]
        for round_ in range(scale(1, 6)):
            async with events.flowing():
                first = [await crew.joined() for crew in crews]
                await asyncio.gather(*(says(one, "applying") for one in first))
                tell(signal.SIGSTOP, first)
                began = time.monotonic()
                second = [await crew.joined() for crew in crews]
            await until(all_there, 90, f"{events.count} events are applied while a worker is frozen")
            print(f"round {round_}: all had gone on {time.monotonic() - began:.1f} s after a worker was frozen")
            tell(signal.SIGCONT, first)
            await asyncio.sleep(2)
            found = await verdict(engine)
            assert found.kept, f"a frozen worker that woke wrote: {found}"
            async with events.flowing():
                tell(signal.SIGKILL, second)
                third = [await crew.joined() for crew in crews]
                tell(signal.SIGTERM, first)
                await asyncio.gather(*(says(one, "applying") for one in third))
            await until(all_there, 90, f"{events.count} events are applied after one was killed and one left")
            tell(signal.SIGTERM, third)
            found = await verdict(engine)
            assert found.kept, found
        print(f"{found}")
        found = await verdict(engine, "naive")
        assert found.doubled, "the checker sees what is applied twice where nothing fences the one who was frozen"
