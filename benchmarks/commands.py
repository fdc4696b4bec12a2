"""One command over HTTP, decided and durable: 32 clients register units, beside pgbench inserting the same event's row,
and beside FastAPI's empty answer at the same pace, half of what ours carries."""

from collections.abc import AsyncGenerator
from itertools import count

from sqlalchemy import text
from xiapai_contracts.registry import UnitRegistered
from xiapai_contracts.terms import UnitKind
from xiapai_contracts.topics import CODEC

from benchmarks import pgbench
from benchmarks.append import INSERT, TABLE
from benchmarks.bare import bare
from benchmarks.lab import Lab
from benchmarks.load import load, post
from benchmarks.rows import Goal, Round, Row
from benchmarks.running import Running, install, running
from ledger.database import connect

CLIENTS = 32
RATE = Row("one command over HTTP, 32 clients", "pgbench, the same row, 32 clients", "commands/s", Goal(0.45))
SLOWEST = Row("one command over HTTP, p99 at half load", "FastAPI's empty answer, the same pace", "ms", Goal(None, 1.5))
_numbers = count()


async def measure(lab: Lab) -> AsyncGenerator[Round]:
    place = await install(lab, ["registry"])
    engine = connect(place.databases["registry"])
    async with engine.begin() as connection:
        for statement in TABLE.strip().split(";\n"):
            await connection.execute(text(statement))
    await engine.dispose()
    data = CODEC.encode(UnitRegistered(unit="990117-00000001", name="单位00000001", kind=UnitKind.VILLAGE)).hex()
    script = lab.folder / "command.sql"
    script.write_text(INSERT.format(data=f"\\x{data}", hash=f"\\x{bytes(32).hex()}").replace("\n", " "))
    seconds = lab.seconds(5)
    async with running(place, "api") as api, bare(lab, "fastapi") as other:
        await load(api.port, lambda: registration(api), connections=CLIENTS, seconds=1)
        for _ in range(lab.rounds):
            ours = await load(api.port, lambda: registration(api), connections=CLIENTS, seconds=seconds)
            peer = await pgbench.rate(place.databases["registry"], script, clients=CLIENTS, seconds=seconds)
            yield Round(RATE, ours.rate, peer, "" if peer is not None else pgbench.MISSING)
            pace = ours.rate / 2
            ours = await load(api.port, lambda: registration(api), connections=CLIENTS, seconds=seconds, pace=pace)
            empty = await load(other, lambda: post("/", b"{}"), connections=CLIENTS, seconds=seconds, pace=pace)
            yield Round(SLOWEST, ours.ms(0.99), empty.ms(0.99))


def registration(api: Running) -> bytes:
    """A request that registers one more unit."""
    number = next(_numbers)
    body = f'{{"unit": "990117-{number:08d}", "name": "单位{number:08d}", "kind": "VILLAGE"}}'.encode()
    return post("/api/registry/units", body, api.token, f"bench-{number}")
