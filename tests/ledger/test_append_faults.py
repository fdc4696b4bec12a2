"""The database goes away while commands are recorded: each client is told the truth, nothing is doubled."""

import asyncio
import json

from sqlalchemy import text

from ledger.append import Append, Appender, Receipt, Request
from ledger.database import connect
from ledger.migrate import migrate
from ledger.reader import head
from tests.faults.wire import Wire
from tests.infra.servers import Infra
from tests.ledger.conftest import AT, CODEC, Made


async def test_a_connection_cut_during_commit_doubles_nothing(database: str) -> None:
    """The server ends the session after the commit took effect, before the client hears of it: the worst moment."""
    engine = connect(database)
    await migrate(engine)
    receipts: list[Receipt] = []
    async with Wire(database, 20, seed=1, moments=["after"]).open() as wire:
        broken = connect(wire.dsn)
        async with Appender(broken, CODEC) as appender:
            while not wire.over:
                n = len(receipts)
                request = Request("u", f"k{n}", b"d") if n % 3 == 0 else None
                expected = {"t": n} if n % 3 == 1 else {}
                events = [("t", Made(thing=f"{n}"))]
                append = Append(by="u", at=AT, events=events, expected=expected, request=request)
                receipts.append(await appender.append(append))
                assert request is not None or receipts[-1].versions == {"t": n + 1}
        await broken.dispose()
    assert wire.cuts == {"after": 20}
    async with engine.connect() as connection:
        assert await head(connection) == len(receipts)
        rows = (await connection.execute(text("SELECT position, convert_from(data, 'UTF8') AS data FROM ledger"))).all()
    things = {row.position: json.loads(row.data)["thing"] for row in rows}
    assert things == {receipt.position: f"{n}" for n, receipt in enumerate(receipts)}
    await engine.dispose()


async def test_commands_survive_an_immediate_restart_of_the_database(infra: Infra) -> None:
    with infra.own_postgres() as server:
        engine = connect(server.dsn)
        await migrate(engine)
        async with Appender(engine, CODEC) as appender:

            async def write(n: int) -> Receipt:
                await asyncio.sleep(n * 0.005)
                return await appender.append(
                    Append(by="u", at=AT, events=[(f"t-{n}", Made(thing="t"))], request=Request("u", f"k{n}", b"d"))
                )

            writing = [asyncio.create_task(write(n)) for n in range(200)]
            await asyncio.sleep(0.3)
            await asyncio.to_thread(server.restart_immediate)
            receipts = await asyncio.gather(*writing)
        async with engine.connect() as connection:
            assert await head(connection) == 200
            rows = (await connection.execute(text("SELECT position, stream FROM ledger"))).all()
        assert {(row.stream, row.position) for row in rows} == {
            (f"t-{n}", receipt.position) for n, receipt in enumerate(receipts)
        }
        await engine.dispose()
