"""What the relay reads: portion after portion, the next one ahead of its use."""

from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.append import Appender
from ledger.database import driver
from ledger.relay.portion import LIMIT, Portions
from tests.ledger.conftest import made


async def test_portions_come_one_after_another_and_hold_everything_once(
    engine: AsyncEngine, appender: Appender
) -> None:
    await appender.append(made("thing-1", count=2 * LIMIT + 1))
    async with engine.connect() as connection:
        portions = Portions(await driver(connection), 0, None)
        found = [await portions.next() for _ in range(4)]
        assert [len(one.events) for one in found] == [LIMIT, LIMIT, 1, 0]
        assert [e.position for one in found for e in one.events] == list(range(1, 2 * LIMIT + 2))
        await portions.close()


async def test_what_is_recorded_after_the_next_portion_was_read_ahead_is_not_missed(
    engine: AsyncEngine, appender: Appender
) -> None:
    await appender.append(made("thing-1", count=LIMIT))
    async with engine.connect() as connection:
        portions = Portions(await driver(connection), 0, None)
        assert len((await portions.next()).events) == LIMIT
        assert portions._ahead is not None
        assert (await portions._ahead).empty, "read ahead, before the next event is there"
        await appender.append(made("thing-2"))
        assert [event.stream for event in (await portions.next()).events] == ["thing-2"]
        await portions.close()
