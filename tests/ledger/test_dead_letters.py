"""Parked streams: replayed in order, discarded with a word in the log, and never overtaken by a running worker."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger import deadletters
from tests.ledger.kafka_support import CODEC, Shelf, applied, ledger, make_shelf
from tests.ledger.test_deliver import Log, Reading


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    async with ledger(database) as made:
        await make_shelf(made)
        yield made


@pytest.fixture
async def parked(engine: AsyncEngine) -> Reading:
    """a and c are applied, three events of b and two of d wait; nothing is poison any more."""
    reading = Reading(engine, Shelf())
    await reading.load()
    log = Log()
    for stream in "abcdbdb":
        log.event(stream)
    reading.shelf.poison = {"b", "d"}
    await reading.read(log.records)
    reading.shelf.poison = set()
    return reading


async def test_a_replayed_stream_is_applied_in_order_and_flows_again(engine: AsyncEngine, parked: Reading) -> None:
    handler = parked.shelf.handler
    done = await deadletters.replay(engine, handler.name, handler.apply, CODEC, "b")
    assert [(one.stream, one.applied, one.left) for one in done] == [("b", 3, 0)]
    assert await applied(engine) == [("a", 1), ("c", 1), ("b", 1), ("b", 2), ("b", 3)]
    assert [queue.stream for queue in await deadletters.list_parked(engine)] == ["d"]
    log = Log()
    log.last, log.versions = 7, {"b": 3, "d": 2}
    later = [log.event("b"), log.event("d")]
    await parked.read(later)
    assert (await applied(engine))[-1] == ("b", 4)
    assert [queue.count for queue in await deadletters.list_parked(engine)] == [3]


async def test_replay_stops_at_the_first_that_still_fails(engine: AsyncEngine, parked: Reading) -> None:
    handler = parked.shelf.handler
    parked.shelf.poison = {"d"}
    done = await deadletters.replay(engine, handler.name, handler.apply, CODEC)
    assert [(one.stream, one.applied, one.left) for one in done] == [("b", 3, 0), ("d", 0, 2)]
    assert done[1].reason.startswith("ValueError")
    assert [(queue.stream, queue.count) for queue in await deadletters.list_parked(engine)] == [("d", 2)]


async def test_a_discarded_letter_is_gone_and_the_log_says_who(
    engine: AsyncEngine, parked: Reading, caplog: pytest.LogCaptureFixture
) -> None:
    first = next(queue for queue in await deadletters.list_parked(engine) if queue.stream == "b")
    handler = parked.shelf.handler
    with caplog.at_level(logging.WARNING):
        assert await deadletters.discard(engine, handler.name, by="operator-1", ids=[first.id]) == 1
    assert "by=operator-1" in caplog.text and "stream=b" in caplog.text
    await deadletters.replay(engine, handler.name, handler.apply, CODEC, "b")
    assert [row for row in await applied(engine) if row[0] == "b"] == [("b", 2), ("b", 3)]
    assert await deadletters.discard(engine, handler.name, by="operator-1", stream="d") == 2
    assert await deadletters.list_parked(engine) == []


async def test_events_that_arrive_during_a_replay_wait_for_it(engine: AsyncEngine, parked: Reading) -> None:
    """The worker's batch comes while the queue is half applied: it must not overtake the rest."""
    handler = parked.shelf.handler
    log = Log()
    log.last, log.versions = 7, {"b": 3}
    later = [log.event("b")]
    halfway, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(connection: object, events: object) -> None:
        await handler.apply(connection, events)  # type: ignore[arg-type]
        halfway.set()
        await go_on.wait()

    replaying = asyncio.create_task(deadletters.replay(engine, handler.name, slowly, CODEC, "b"))
    await halfway.wait()
    reading = asyncio.create_task(parked.read(later))
    await asyncio.sleep(0.2)
    assert not reading.done()
    go_on.set()
    await replaying
    await reading
    assert [row for row in await applied(engine) if row[0] == "b"] == [("b", 1), ("b", 2), ("b", 3), ("b", 4)]
    assert [queue.stream for queue in await deadletters.list_parked(engine)] == ["d"]
