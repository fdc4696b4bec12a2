"""Whoever is cancelled ends, whatever they are in the middle of."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ledger.ending import all_of, closed, ended
from ledger.kafka import Admin, KafkaSettings
from tests.infra.servers import Infra

TURNS = 12
"""Of the loop, after which a client that closes is closed."""


async def lost(kafka: KafkaSettings, close: Callable[[Admin], Awaitable[None]]) -> list[int]:
    """The turns after the beginning of a close at which a cancellation is not heard."""
    deaf = []
    for turns in range(1, TURNS):
        admin = Admin(kafka)
        await admin.__aenter__()
        went_on = asyncio.Event()

        async def closing(admin: Admin = admin, went_on: asyncio.Event = went_on) -> None:
            await close(admin)
            await asyncio.sleep(0)
            went_on.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(closing())
        for _ in range(turns):
            await asyncio.sleep(0)
        already = went_on.is_set()
        task.cancel()
        await asyncio.wait({task}, timeout=0.5)
        if not task.done():
            assert not already
            deaf.append(turns)
        await ended({task})
        assert task.cancelled()
    return deaf


async def test_a_connection_for_looking_at_topics_hears_a_cancellation_while_it_closes(infra: Infra) -> None:
    kafka = KafkaSettings(bootstrap=infra.kafka)
    assert await lost(kafka, lambda admin: admin._client.close()) != [], (
        "the client hears it by itself now: ledger.ending is superfluous"
    )
    assert await lost(kafka, lambda admin: admin.__aexit__()) == []


async def test_what_is_closed_is_closed_also_when_nobody_waits_any_more() -> None:
    done = asyncio.Event()

    async def close() -> None:
        await asyncio.sleep(0.05)
        done.set()

    waiting = asyncio.create_task(closed(close()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting}, timeout=0.01)
    assert waiting.cancelled() and not done.is_set()
    await asyncio.wait_for(done.wait(), 5)


async def test_who_takes_a_cancellation_for_another_ends_at_the_next() -> None:
    async def deaf_once() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await ended([task], again=0.05)
    assert task.cancelled()


async def test_of_several_at_once_all_come_to_their_end_before_a_failure_is_told() -> None:
    came = []

    async def part(number: int) -> int:
        await asyncio.sleep(0.01 * number)
        if number == 1:
            raise ValueError("the first")
        came.append(number)
        return number

    assert await all_of(map(part, (3, 2))) == [3, 2]
    with pytest.raises(ValueError, match="the first"):
        await all_of(map(part, (1, 4)))
    assert came == [2, 3, 4]
