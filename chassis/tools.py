"""From settings to what a service works with: its database, its desk, its clock, the broker's address."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.clock import Clock, FollowingClock, RealClock
from chassis.metrics import Metrics
from chassis.service import Service, Tools
from chassis.settings import Settings
from ledger import clock as ledger_clock
from ledger.append import Appender
from ledger.command import Desk
from ledger.database import connect
from ledger.ending import ended
from ledger.kafka import KafkaSettings
from ledger.migrate import check, migrate
from ledger.trouble import is_trouble

_LOOK_SECONDS = 1.0


def kafka_settings(settings: Settings) -> KafkaSettings:
    """How to reach the broker; SettingsMistake where it is not said."""
    settings.require("kafka_bootstrap")
    password = settings.kafka_password
    return KafkaSettings(
        bootstrap=str(settings.kafka_bootstrap),
        prefix=settings.topic_prefix,
        idempotent=settings.kafka_idempotent,
        single_record_batches=settings.kafka_single_record_batches,
        replication=settings.kafka_replication,
        security_protocol=settings.kafka_security,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        sasl_username=settings.kafka_user or "",
        sasl_password=password.get_secret_value() if password else "",
        ca_file=str(settings.kafka_ca_file or ""),
    )


def open_engine(service: Service, settings: Settings) -> AsyncEngine:
    """The service's own database. Opens nothing yet."""
    return connect(
        settings.database(service.name), application=f"xiapai-{service.name}", pool_size=settings.database_pool
    )


async def migrate_service(service: Service, settings: Settings) -> None:
    """Bring the service's tables to what this program needs, and begin its ledger under the settings' clock.

    Raises:
        SchemaMismatch: the database is newer.
        ClockMismatch: the ledger was begun under the other kind of clock.
    """
    engine = open_engine(service, settings)
    try:
        await migrate(engine)
        for folder, table in service.migrations:
            await migrate(engine, folder, table)
        async with engine.begin() as connection:
            await ledger_clock.fix(connection, settings.clock, settings.clock_starts)
    finally:
        await engine.dispose()


async def check_service(service: Service, engine: AsyncEngine) -> None:
    """Refuse a database whose tables are older or newer than this program (SchemaMismatch)."""
    await check(engine)
    for folder, table in service.migrations:
        await check(engine, folder, table)


@asynccontextmanager
async def open_tools(service: Service, settings: Settings, metrics: Metrics | None = None) -> AsyncIterator[Tools]:
    """All that a service works with in one process, closed again at the end; its appends are measured in ``metrics``.

    Raises:
        SchemaMismatch, ClockMismatch: the database is not this program's.
    """
    engine = open_engine(service, settings)
    try:
        await check_service(service, engine)
        async with engine.begin() as connection:
            fixed = await ledger_clock.fix(connection, settings.clock, settings.clock_starts)
        observe = metrics.appends(service.name) if metrics else None
        appending = Appender(engine, service.codec, observe=observe)
        async with _clock(engine, fixed.stands_at) as clock, appending as appender:
            yield Tools(settings, engine, Desk(engine, appender, service.codec), clock, service.codec)
    finally:
        await engine.dispose()


@asynccontextmanager
async def _clock(engine: AsyncEngine, stands_at: datetime | None) -> AsyncIterator[Clock]:
    if stands_at is None:
        yield RealClock()
        return
    now = stands_at

    async def look() -> None:
        nonlocal now
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                async with engine.connect() as connection:
                    now = (await ledger_clock.look(connection)).stands_at or now
            except Exception as error:
                if not is_trouble(error):
                    raise

    looking = asyncio.create_task(look(), name="clock")
    try:
        yield FollowingClock(lambda: now)
    finally:
        await ended([looking])
        if not looking.cancelled():
            looking.result()
