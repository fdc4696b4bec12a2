"""A migrated ledger of one's own, and small public events that mean nothing."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.event import Codec, event

from ledger.append import Appender
from ledger.database import connect
from ledger.migrate import migrate

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


@event("thing.made")
class Made:
    thing: str
    number: int = 0


CODEC = Codec((Made,))


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    made = connect(database)
    await migrate(made)
    yield made
    await made.dispose()


@pytest.fixture
async def appender(engine: AsyncEngine) -> AsyncIterator[Appender]:
    async with Appender(engine, CODEC) as made:
        yield made
