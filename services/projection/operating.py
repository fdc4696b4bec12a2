"""What an operator does with the read models, from settings: rebuild and audit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.clock import ZONE, RealClock
from chassis.seal import Kek
from chassis.settings import Settings
from chassis.tools import kafka_settings
from ledger import clock
from ledger.database import connect
from services.projection.audit import Audited, Progress, ledger_events, no_progress
from services.projection.audit import audit as compare_with_ledger
from services.projection.builds import check
from services.projection.cut import SOURCE
from services.projection.rebuild import Rebuilt, rebuild_from_kafka, rebuild_from_ledger


@asynccontextmanager
async def _databases(settings: Settings) -> AsyncIterator[tuple[AsyncEngine, AsyncEngine]]:
    """The projection's database, and the registry's through the role that reads only."""
    own = connect(settings.database("projection"), application="xiapai-rebuild", pool_size=4)
    ledger = connect(settings.database(SOURCE, reader=True), application="xiapai-audit", pool_size=2)
    try:
        await check(own)
        yield own, ledger
    finally:
        await own.dispose()
        await ledger.dispose()


async def rebuild(settings: Settings, *, from_ledger: bool, progress: Progress = no_progress) -> Rebuilt:
    """Build the read models anew beside the live ones, audit them, switch.

    Raises:
        NotRight: the audit found a difference; the live ones stay.
        AlreadyRebuilding: another command is at it.
        SettingsMistake, SchemaMismatch, KeyFileMistake: as their messages say.
    """
    kek = Kek.load(settings.key_file("kek_file"))
    async with _databases(settings) as (own, ledger):
        today, events = await _today(own), ledger_events(ledger)
        if from_ledger:
            return await rebuild_from_ledger(own, ledger, kek, today, events, progress)
        return await rebuild_from_kafka(own, kafka_settings(settings), kek, today, events, progress)


async def audit(settings: Settings, progress: Progress = no_progress) -> Audited | None:
    """Compare the live read models with the registry's ledger; None where there is no live build yet."""
    async with _databases(settings) as (own, ledger):
        return await compare_with_ledger(own, ledger_events(ledger), await _today(own), progress=progress)


async def _today(engine: AsyncEngine) -> date:
    async with engine.connect() as connection:
        stands_at = (await clock.look(connection)).stands_at
    return RealClock().today() if stands_at is None else stands_at.astimezone(ZONE).date()
