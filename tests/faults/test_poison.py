"""毒丸: many events that a handler cannot take park their own streams, in order, and nothing else waits."""

import time
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from command.chaos.verdict import Fact, judge
from ledger import deadletters
from ledger.deliver import Delivered
from ledger.relay import Relay
from ledger.worker import Worker
from tests.conftest import Scale
from tests.faults import naive
from tests.infra.servers import Infra
from tests.ledger.kafka_support import (
    CODEC,
    TOPICS,
    Shelf,
    applied,
    fill,
    ledger,
    make_shelf,
    record,
    running,
    settings_for,
    until,
    verdict,
)

BEFORE, PER_STREAM = 3, 10


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    async with ledger(database) as made:
        await make_shelf(made)
        yield made


class Bitter(Shelf):
    """Cannot take the events of ``bitter``."""

    def __init__(self, bitter: set[Fact]) -> None:
        super().__init__()
        self.bitter = bitter

    async def apply(self, connection: AsyncConnection, events: Sequence[Delivered]) -> None:
        if any((one.meta.stream, one.meta.version) in self.bitter for one in events):
            raise ValueError("bitter")
        await super().apply(connection, events)


async def test_poison_parks_its_streams_no_other_waits_and_all_is_applied_in_order_after_the_fix(
    engine: AsyncEngine, infra: Infra, topic_prefix: str, scale: Scale
) -> None:
    kafka = settings_for(infra.kafka, infra.kafka_kind, topic_prefix)
    count, sick = scale(2000, 50_000), scale(50, 1000)
    bitter = {(f"jar-{jar}", BEFORE + 1) for jar in range(sick)}
    shelf, worker = Bitter(bitter), Worker("test", kafka, CODEC)
    worker.add(engine, shelf.handler)
    await record(engine, *fill(count, jars=count // PER_STREAM), at_once=1000)
    streams = [f"jar-{jar}" for jar in range(count // PER_STREAM)]
    waiting = [(stream, n) for stream in streams[:sick] for n in range(BEFORE + 1, PER_STREAM + 1)]
    flowing = [(stream, n) for stream in streams for n in range(1, PER_STREAM + 1)]
    flowing = sorted(set(flowing) - set(waiting))

    began = time.monotonic()
    async with running(
        Relay(engine, kafka, "shelf", TOPICS).run(),
        worker.run(),
        naive.skip_poison(engine, kafka, set(bitter)),
        naive.retry_poison(engine, kafka, bitter),
    ):

        async def parked() -> bool:
            queues = await deadletters.list_parked(engine)
            return len(queues) == sick and len(await applied(engine)) == len(flowing)

        await until(parked, scale(60, 300), "all else is applied while the sick are parked")
        print(f"{count} events, {sick} poison: all that does not wait applied after {time.monotonic() - began:.1f} s")
        found = judge(flowing, await applied(engine))
        assert found.kept, found
        queues = await deadletters.list_parked(engine)
        assert {one.stream for one in queues} == set(streams[:sick]), "every poison is parked, and nothing else"
        assert {one.count for one in queues} == {PER_STREAM - BEFORE}, "and what follows it"
        held_up = judge(flowing, await applied(engine, "retries"))
        assert held_up.lost, "the checker sees that others wait where poison is tried again and again"

        bitter.clear()
        done = await deadletters.replay(engine, shelf.handler.name, shelf.handler.apply, CODEC)
        assert {(one.applied, one.left) for one in done} == {(PER_STREAM - BEFORE, 0)}
        found = await verdict(engine)
        assert found.kept, found

        async def skipped() -> bool:
            return len(await applied(engine, "skips")) >= count - sick

        await until(skipped, scale(30, 120))
        found = await verdict(engine, "skips")
        assert len(found.lost) == sick, "the checker sees what is skipped"
