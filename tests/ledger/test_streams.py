"""Questions asked at once become few; none is answered with less than was recorded before it came."""

import asyncio
from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.append import Append, Appender
from ledger.database import driver
from ledger.streams import Found, Streams
from ledger.trouble import is_trouble
from tests.ledger.conftest import AT, Made


def made(stream: str, *numbers: int) -> Append:
    return Append(by="u", at=AT, events=[(stream, Made(thing=stream, number=number)) for number in numbers])


class Counted(Streams):
    """Counts what it asks the database."""

    asked = 0

    async def _rows(self, streams: Collection[str]) -> Found:
        self.asked += 1
        return await super()._rows(streams)


async def test_each_question_gets_its_own_streams_whole_and_in_order(engine: AsyncEngine, appender: Appender) -> None:
    for n in range(5):
        await appender.append(made(f"thing-{n}", *range(n)))
    streams = Counted(engine)
    found = await asyncio.gather(*(streams.read([f"thing-{n}", f"thing-{(n + 1) % 5}", "no-1"]) for n in range(5)))
    for n, one in enumerate(found):
        assert {stream: [row.version for row in rows] for stream, rows in one.items()} == {
            f"thing-{m}": list(range(1, m + 1)) for m in (n, (n + 1) % 5) if m
        }
    assert streams.asked < 5


async def test_what_was_recorded_before_a_question_is_in_its_answer(engine: AsyncEngine, appender: Appender) -> None:
    streams = Counted(engine)

    async def write_and_look(number: int) -> None:
        for version in range(1, 20):
            await appender.append(made(f"thing-{number}", version))
            assert len((await streams.read([f"thing-{number}"]))[f"thing-{number}"]) == version

    await asyncio.gather(*map(write_and_look, range(8)))
    assert streams.asked < 8 * 19


async def test_a_question_given_up_and_one_that_cannot_be_answered_are_nobody_elses_matter(
    engine: AsyncEngine, appender: Appender
) -> None:
    await appender.append(made("thing-1", 1))
    streams = Streams(engine)
    given_up = asyncio.create_task(streams.read(["thing-1"]))
    await asyncio.sleep(0)
    given_up.cancel()
    assert list(await streams.read(["thing-1"])) == ["thing-1"]
    good, bad, also = await asyncio.gather(
        *(streams.read([stream]) for stream in ("thing-1", "thing-\0", "no-1")), return_exceptions=True
    )
    assert isinstance(good, dict) and list(good) == ["thing-1"] and also == {}
    assert isinstance(bad, Exception) and not is_trouble(bad)
    assert list(await streams.read(["thing-1"])) == ["thing-1"]


async def test_a_connection_lost_while_nobody_used_it_is_noticed_by_nobody(
    engine: AsyncEngine, appender: Appender
) -> None:
    await appender.append(made("thing-1", 1))
    streams = Streams(engine)
    async with engine.connect() as one, engine.connect() as other:
        lost = [(await driver(connection)).get_server_pid() for connection in (one, other)]
    async with engine.connect() as third:
        raw = await driver(third)
        await raw.execute(
            "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid",
            [p for p in lost if p != raw.get_server_pid()],
        )
    await asyncio.sleep(0.2)
    for _ in range(3):
        assert list(await streams.read(["thing-1"])) == ["thing-1"]
