"""磁盘写满: the database's disk fills up under load; that is said, nothing acknowledged is lost, all goes on by itself."""

import asyncio
import logging
import time
from typing import Protocol

import pytest
from sqlalchemy import text

from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.trouble import Trouble
from ledger.append import Append, Appender, Receipt
from ledger.chain import verify
from ledger.database import connect
from ledger.migrate import migrate
from tests.conftest import Scale
from tests.faults.disk import Disk, small_disk
from tests.faults.naive_ledger import WriteBehind
from tests.ledger.conftest import AT, CODEC, Made
from tests.ledger.kafka_support import until

SMALL = {"max_wal_size": "48MB", "min_wal_size": "32MB"}
WRITERS = 8
PADDING = "x" * 20_000


class Takes(Protocol):
    async def append(self, append: Append) -> Receipt: ...


async def write(ledger: Takes, writer: int, stop: asyncio.Event, told: dict[str, int]) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        stream = f"t-{writer}-{number}"
        receipt = await ledger.append(Append(by="u", at=AT, events=[(stream, Made(thing=PADDING))]))
        told[stream] = receipt.position


async def missing(dsn: str, told: dict[str, int]) -> list[str]:
    """What was acknowledged, and does not stand where it was said to."""
    engine = connect(dsn)
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT stream, position FROM ledger"))
        there = {row.stream: row.position for row in rows}
        walked = [found async for found in verify(connection)]
    await engine.dispose()
    assert walked[-1] == len(there), "gapless, and both chains hold"
    return [stream for stream, position in told.items() if there.get(stream) != position]


async def test_a_full_disk_is_said_and_loses_nothing(caplog: pytest.LogCaptureFixture, scale: Scale) -> None:
    with small_disk(200) as disk:
        server = EmbeddedPostgres(disk.path / "postgres", settings=SMALL)
        server.start()
        engine, told, stop = connect(server.dsn), dict[str, int](), asyncio.Event()
        try:
            await migrate(engine)
            async with Appender(engine, CODEC) as appender:
                writing = [asyncio.create_task(write(appender, n, stop, told)) for n in range(WRITERS)]
                for _ in range(scale(2, 10)):
                    before = len(told)
                    await until(lambda: len(told) > before + WRITERS)  # noqa: B023
                    await full_and_free(disk, server, appender)
                    before = len(told)
                    await until(lambda: len(told) > before + WRITERS and not appender.trouble)  # noqa: B023
                stop.set()
                await asyncio.gather(*writing)
            assert await missing(server.dsn, told) == []
        finally:
            await engine.dispose()
            server.stop()
    said = [
        one.getMessage() for one in caplog.records if one.name == "ledger.append" and one.levelno >= logging.WARNING
    ]
    assert any("its disk is full" in one for one in said)
    assert len(said) <= 3 * scale(2, 10), "not again with every attempt"
    print(f"{len(told)} acknowledged, 0 lost; said: {said[0]}")


async def full_and_free(disk: Disk, server: EmbeddedPostgres, appender: Appender) -> None:
    """Fill the disk, see that it is said, make room; whoever supervises the server starts it again where it ended."""
    disk.fill(but=1_000_000)
    await until(lambda: appender.trouble or server.pid is None, what="the disk is full")
    await until(lambda: "disk is full" in appender.trouble or server.pid is None)
    if server.pid is None:
        server.stop()
        with pytest.raises(Trouble) as trouble:
            server.start()
        assert trouble.value.code == "disk-full" and "\n" not in str(trouble.value)
    disk.free()
    end = time.monotonic() + 20
    while server.pid is None and time.monotonic() < end:
        server.stop()
        server.start()


async def test_who_answers_first_and_writes_afterwards_loses_what_the_disk_did_not_take() -> None:
    with small_disk(200) as disk:
        server = EmbeddedPostgres(disk.path / "postgres", settings=SMALL)
        server.start()
        engine, told, stop = connect(server.dsn), dict[str, int](), asyncio.Event()
        try:
            await migrate(engine)
            async with WriteBehind(engine, CODEC) as ledger:
                writing = asyncio.create_task(write(ledger, 0, stop, told))
                await until(lambda: len(told) > 20)
                disk.fill()
                await until(lambda: ledger.failed)
                stop.set()
                disk.free()
                if server.pid is None:
                    server.stop()
                    server.start()
                await writing
            assert await missing(server.dsn, told) != []
        finally:
            await engine.dispose()
            server.stop()
