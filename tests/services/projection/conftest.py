"""A projection database with one live build."""

from collections.abc import AsyncIterator

import pytest

from ledger.database import connect
from services.projection import builds
from tests.services.projection.story import Reader, Story


@pytest.fixture
async def reader(database: str) -> AsyncIterator[Reader]:
    engine = connect(database)
    await builds.migrate(engine)
    async with engine.begin() as connection:
        build = await builds.begin(connection)
        await builds.switch(connection, build)
    yield Reader(engine, build)
    await engine.dispose()


@pytest.fixture
def story() -> Story:
    return Story()
