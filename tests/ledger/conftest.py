"""A migrated ledger of one's own, and small public events that mean nothing."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.event import Codec, event

from ledger.append import Append, Appender
from ledger.claims import Claim
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


def made(stream: str, *, expected: int | None = 0, count: int = 1, **more: object) -> Append:
    return Append(
        by="u1",
        at=AT,
        events=[(stream, Made(thing=stream, number=n)) for n in range(count)],
        expected={} if expected is None else {stream: expected},
        **more,  # type: ignore[arg-type]
    )


def span(stream: str, first: int, last: int | None, *, shared: bool = False) -> Claim:
    return Claim("span", "p", stream, date(2026, 1, first), None if last is None else date(2026, 1, last), shared)
