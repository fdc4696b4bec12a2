"""A transaction that asyncpg begins and ends, and SQLAlchemy takes part in."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.database import connect, driver, moment, transaction
from ledger.watermark import take

PUT = text("INSERT INTO jars VALUES (:n)")


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    made = connect(database, pool_size=2)
    async with made.begin() as connection:
        await connection.execute(text("CREATE TABLE jars (n int PRIMARY KEY)"))
    yield made
    await made.dispose()


async def there(engine: AsyncEngine) -> list[int]:
    async with moment(engine) as connection:
        return [row.n for row in await connection.execute(text("SELECT n FROM jars ORDER BY n"))]


async def test_what_both_write_is_there_together_or_not_at_all(engine: AsyncEngine) -> None:
    async with transaction(engine, "synchronous_commit = off") as connection:
        await (await driver(connection)).execute("INSERT INTO jars VALUES (1)")
        await connection.execute(PUT, {"n": 2})
        assert await there(engine) == []
        assert await connection.scalar(text("SHOW synchronous_commit")) == "off"
    assert await there(engine) == [1, 2]
    with pytest.raises(KeyError):
        async with transaction(engine) as connection:
            await connection.execute(PUT, {"n": 3})
            assert await connection.scalar(text("SHOW synchronous_commit")) == "on"
            raise KeyError
    assert await there(engine) == [1, 2]


async def test_a_savepoint_takes_back_its_part_alone(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(PUT, {"n": 1})
        with pytest.raises(DBAPIError):
            async with connection.begin_nested():
                await connection.execute(PUT, {"n": 2})
                await connection.execute(PUT, {"n": 1})
        await connection.execute(PUT, {"n": 3})
    assert await there(engine) == [1, 3]


async def test_a_commit_that_takes_back_is_an_error_and_the_connection_is_of_use_again(engine: AsyncEngine) -> None:
    for _ in range(5):  # more often than there are connections
        with pytest.raises(RuntimeError, match="ROLLBACK"):
            async with transaction(engine) as connection:
                await connection.execute(PUT, {"n": 1})
                with pytest.raises(DBAPIError):
                    await connection.execute(PUT, {"n": 1})
    assert await there(engine) == []


async def test_who_is_cancelled_leaves_neither_row_nor_lock_nor_connection(engine: AsyncEngine) -> None:
    async def wait() -> None:
        async with transaction(engine) as connection:
            await connection.execute(PUT, {"n": 1})
            await connection.execute(text("SELECT pg_sleep(60)"))

    for _ in range(5):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(10), transaction(engine) as connection:
        await connection.execute(PUT, {"n": 1})
    assert await there(engine) == [1]


async def test_one_moment_is_one_and_cannot_write(engine: AsyncEngine) -> None:
    async with moment(engine) as connection:
        assert (await connection.execute(text("SELECT n FROM jars"))).all() == []
        async with transaction(engine) as other:
            await other.execute(PUT, {"n": 1})
        assert (await connection.execute(text("SELECT n FROM jars"))).all() == []
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with moment(engine) as connection:
            await (await driver(connection)).execute("INSERT INTO jars VALUES (2)")


async def test_a_lock_is_not_taken_where_there_is_no_transaction(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(AssertionError, match="gone at once"):
            await take(connection, "view", [("shelf.jars", 0)])
