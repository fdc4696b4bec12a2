"""Read models rebuilt where they stand: emptied, and filled again."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger import reader
from services.projection import builds
from services.projection.from_ledger import delivered
from services.projection.project import project
from services.projection.tables import metadata
from tests.services.projection.story import KEK

PORTION = 20


async def refill_in_place(own: AsyncEngine, ledger: AsyncEngine, build: builds.Build) -> None:
    async with own.begin() as connection:
        await builds.use(connection, build)
        await connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
    after = 0
    async with ledger.connect() as source:
        while portion := await reader.read(source, after, PORTION):
            async with own.begin() as connection:
                await builds.use(connection, build)
                await project(connection, [item for one in portion if (item := delivered(one, "epoch"))], KEK)
            after = portion[-1].position
