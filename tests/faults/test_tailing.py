"""追读: sixteen write at once while one reads along: it gets every event, in order, each once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.append import Append, Appender
from ledger.database import connect
from ledger.migrate import migrate
from ledger.reader import follow
from tests.conftest import Scale
from tests.faults.naive_ledger import append_by_identity, follow_identity, make_identity
from tests.ledger.conftest import AT, CODEC, Made

WRITERS = 16


async def seen_by_a_reader(
    portions: AsyncIterator[list[int]], write: Callable[[int], Awaitable[None]], count: int
) -> list[int]:
    """The positions that a reader got, in its order, while sixteen wrote ``count`` events; it may go on for two seconds
    after the last that it finds."""
    seen: list[int] = []

    async def read() -> None:
        async for portion in portions:
            seen.extend(portion)

    reading = asyncio.create_task(read())
    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    found = -1
    while found < len(seen) < count:
        found = len(seen)
        await asyncio.sleep(2.0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return seen


async def test_a_reader_along_sixteen_writers_gets_every_event_in_order(database: str, scale: Scale) -> None:
    each = scale(50, 500)
    engine = connect(database)
    await migrate(engine)
    async with AsyncExitStack() as stack:
        appenders = []  # one of its own for each, as in sixteen processes
        for _ in range(WRITERS):
            own = connect(database, pool_size=1)
            stack.push_async_callback(own.dispose)
            appenders.append(await stack.enter_async_context(Appender(own, CODEC)))

        async def write(writer: int) -> None:
            for number in range(each):
                made = Made(thing="t", number=number)
                await appenders[writer].append(Append(by="u", at=AT, events=[(f"t-{writer}", made)] * (1 + number % 2)))

        async def portions() -> AsyncIterator[list[int]]:
            async for portion in follow(engine, 0, limit=50):
                yield [row.position for row in portion]

        count = WRITERS * sum(1 + number % 2 for number in range(each))
        seen = await seen_by_a_reader(portions(), write, count)
    await engine.dispose()
    assert seen == list(range(1, count + 1))
    print(f"{len(seen)} events, every one in order")


async def test_a_column_that_counts_by_itself_lets_events_pass_unseen(database: str, scale: Scale) -> None:
    each = scale(50, 500)
    engine: AsyncEngine = connect(database, pool_size=WRITERS + 1)
    await make_identity(engine)
    count = WRITERS * each
    seen = await seen_by_a_reader(follow_identity(engine), lambda writer: append_by_identity(engine, each), count)
    await engine.dispose()
    assert len(seen) < count, "the reader should have missed some"
    print(f"{count - len(seen)} of {count} missed")
