"""Live projection: the topics into the read models' tables, watermarks included, beside a plain consumer that only
reads and decodes. Short streams, as a district's working days bring them: 5 events for each posting and its cadre."""

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.registry import TOPICS
from xiapai_contracts.topics import CODEC

from benchmarks.district import KEK, District
from benchmarks.lab import Lab
from benchmarks.published import Published, evented, published, read_through
from benchmarks.rows import Goal, Round, Row
from ledger.consume import Reader
from ledger.database import connect
from services.projection.builds import begin, migrate, switch
from services.projection.cut import newest_cut
from services.projection.project import handler

ROW = Row("live projection to tables with watermarks", "raw getmany and decode", "events/s", Goal(0.35))


async def measure(lab: Lab) -> AsyncGenerator[Round]:
    district = District(postings=lab.size(15_000, 1_500))
    async with published(lab, district) as there:
        for _ in range(lab.rounds):
            ours, _ = await project_all(lab, there)
            seconds, seen = await read_through(there.kafka, evented(TOPICS), decode=True)
            yield Round(ROW, ours, seen / seconds)


async def project_all(lab: Lab, there: Published) -> tuple[float, str]:
    """Events in a second into a live build, from the first rows on until the build holds everything; and the DSN of the
    database that holds it."""
    dsn = lab.database()
    engine = connect(dsn)
    try:
        await migrate(engine)
        async with engine.begin() as connection:
            build = await begin(connection)
            await switch(connection, build)
        reader = Reader(engine, there.kafka, CODEC, handler(build, KEK))
        running = asyncio.create_task(reader.run())
        try:
            async with engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                first, began = await _rows(connection, build.schema, running, 1)
                while (await newest_cut(connection, build.handler)).position < there.events:
                    await _alive(running)
                rate = (there.events - first) / (monotonic() - began)
                await connection.execute(text("ANALYZE"))
            return rate, dsn
        finally:
            reader.stop()
            await running
    finally:
        await engine.dispose()


async def _rows(connection: AsyncConnection, schema: str, running: asyncio.Task[None], least: int) -> tuple[int, float]:
    while True:
        count = int(await connection.scalar(text(f"SELECT count(*) FROM {schema}.events")) or 0)
        if count >= least:
            return count, monotonic()
        await _alive(running)


async def _alive(running: asyncio.Task[None]) -> None:
    await asyncio.sleep(0.02)
    if running.done():
        running.result()
