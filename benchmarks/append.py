"""Append by group commit: 32 writers, each waiting until its event is durable, beside pgbench inserting the same row."""

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.topics import CODEC

from benchmarks import pgbench
from benchmarks.district import AT, proposal
from benchmarks.lab import Lab
from benchmarks.rows import Goal, Round, Row
from ledger.append import Append, Appender

WRITERS = 32
MANY = 1000
ROW = Row("append by group commit, 32 writers, both chains", "pgbench, the same row, 32 clients", "events/s", Goal(1.0))
AT_ONCE = Row("append, 1,000 at once", "pgbench, the same row, 32 clients", "events/s")

TABLE = """
CREATE TABLE peer (LIKE ledger INCLUDING ALL);
CREATE SEQUENCE peer_position;
"""
INSERT = """\
INSERT INTO peer SELECT p, 'posting-' || p, 1, 'posting.proposed', 1, '{data}'::bytea, gen_random_uuid(), '',
 'office', now(), now(), '', '{hash}'::bytea, '{hash}'::bytea FROM nextval('peer_position') AS p;
"""


async def measure(lab: Lab) -> AsyncGenerator[Round]:
    async with lab.ledger() as engine:
        script = lab.folder / "insert.sql"
        data = CODEC.encode(proposal("0", "p"))
        script.write_text(INSERT.format(data=f"\\x{data.hex()}", hash=f"\\x{bytes(32).hex()}").replace("\n", " "))
        async with engine.begin() as connection:
            for statement in TABLE.strip().split(";\n"):
                await connection.execute(text(statement))
        dsn = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        seconds = lab.seconds(5)
        await write(engine, WRITERS, seconds / 4, "warm")
        for number in range(lab.rounds):
            ours = await write(engine, WRITERS, seconds, f"a{number}")
            peer = await pgbench.rate(dsn, script, clients=WRITERS, seconds=seconds)
            many = await write(engine, MANY, seconds, f"b{number}")
            skipped = "" if peer is not None else pgbench.MISSING
            yield Round(ROW, ours, peer, skipped)
            yield Round(AT_ONCE, many, peer, skipped)


async def write(engine: AsyncEngine, writers: int, seconds: float, run: str) -> float:
    """Events that so many writers make durable in a second, each on a new stream of its own."""
    async with Appender(engine, CODEC) as appender:
        began = monotonic()
        written = sum(await asyncio.gather(*(_writer(appender, f"{run}-{n}", began + seconds) for n in range(writers))))
        return written / (monotonic() - began)


async def _writer(appender: Appender, name: str, until: float) -> int:
    written = 0
    while monotonic() < until:
        posting = f"{name}-{written}"
        stream = f"posting-{posting}"
        await appender.append(
            Append(by="office", at=AT, events=[(stream, proposal(posting, name))], expected={stream: 0})
        )
        written += 1
    return written
