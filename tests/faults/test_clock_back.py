"""时钟倒退: a clock is set back by an hour: recorded times do not decrease, all goes on, and nobody is shown a wrong age."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from joserfc.errors import InvalidClaimError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import Response
from xiapai_contracts.record import MARKER, Meta, to_headers

from chassis.identity.principal import Principal, Role
from chassis.identity.session import Sessions
from ledger.append import Append, Appender
from ledger.chain import verify
from ledger.database import connect
from ledger.fetched import read
from ledger.migrate import migrate
from ledger.sift import sift
from ledger.watermark import NOTHING
from services.projection import builds
from services.projection.cut import newest_cut
from tests.faults import naive
from tests.infra.servers import Infra
from tests.ledger.conftest import AT, CODEC, Made
from tests.ledger.kafka_support import (
    HEADS,
    applied,
    everything,
    fill,
    in_order,
    ledger,
    make_shelf,
    process,
    record,
    says,
    settings_for,
    until,
)
from tests.services.projection.story import Reader

HOUR = timedelta(hours=1)
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


async def shift(engine: AsyncEngine, by: timedelta) -> None:
    """Let the server's clock be wrong: its function is found before PostgreSQL's own."""
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE shifted.clock SET by = :by"), {"by": by})


async def shifted(dsn: str) -> AsyncEngine:
    """The database, with a clock that can be set."""
    engine = connect(dsn)
    await migrate(engine)
    async with engine.begin() as connection:
        name = await connection.scalar(text("SELECT current_database()"))
        for statement in (
            "CREATE SCHEMA shifted",
            "CREATE TABLE shifted.clock AS SELECT interval '0' AS by",
            "CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
            " AS 'SELECT pg_catalog.clock_timestamp() + by FROM shifted.clock'",
            "CREATE TABLE naive (position int GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT pg_catalog.now())",
            f'ALTER DATABASE "{name}" SET search_path = shifted, pg_catalog, public',
        ):
            await connection.execute(text(statement))
    await engine.dispose()
    return connect(dsn)


def never_decreases(moments: Sequence[datetime]) -> bool:
    return list(moments) == sorted(moments)


async def test_recorded_times_never_decrease_though_the_servers_clock_does(database: str) -> None:
    engine = await shifted(database)

    async def moments(table: str, column: str) -> list[datetime]:
        async with engine.connect() as connection:
            found = await connection.execute(text(f"SELECT {column} FROM public.{table} ORDER BY position"))
            return list(found.scalars())

    async with Appender(engine, CODEC) as appender:
        for number, by in enumerate((timedelta(0), -HOUR, -HOUR, timedelta(0))):
            await shift(engine, by)
            await appender.append(Append(by="u", at=AT, events=[(f"t-{number}", Made(thing="t"))]))
            async with engine.begin() as connection:  # what one writes first
                await connection.execute(text("INSERT INTO public.naive (at) VALUES (clock_timestamp())"))
    recorded = await moments("ledger", "recorded_at")
    assert never_decreases(recorded) and recorded[0] == recorded[1] == recorded[2] < recorded[3]
    assert not never_decreases(await moments("naive", "at")), "the clock was set back, and who just asks it shows it"
    async with engine.connect() as connection:
        assert [found async for found in verify(connection)] == [4]
    await engine.dispose()


class Marker:
    key = value = None

    def __init__(self, offset: int, published: datetime) -> None:
        self.offset = offset
        meta = Meta(source="shelf", type=MARKER, epoch="e", position=7, previous=0, published=published, hash=b"h")
        self.headers = to_headers(meta)


def test_what_a_marker_says_last_holds_though_the_relays_clock_was_set_back() -> None:
    found = sift(HEADS, 0, NOTHING, read([Marker(0, AT), Marker(1, AT - HOUR)]), CODEC)
    assert found.mark.reached_at == AT - HOUR


async def test_an_age_is_told_from_the_last_word_though_all_clocks_were_set_back(database: str) -> None:
    """Every partition was marked before; since then the relay said once that there is nothing new, and fell silent."""
    engine = connect(database)
    await builds.migrate(engine)
    async with engine.begin() as connection:
        build = await builds.begin(connection)
    await Reader(engine, build).reach(7, at=AT)
    async with engine.begin() as connection:
        heads = text("UPDATE watermarks SET reached_at = :at WHERE topic = 'registry.heads'")
        await connection.execute(heads, {"at": AT - HOUR})
        silent = timedelta(seconds=90)
        found = await newest_cut(connection, build.handler, AT - HOUR + silent)
        latest = await connection.scalar(text("SELECT max(reached_at) FROM watermarks"))
    assert found.age_ms == silent.total_seconds() * 1000
    assert naive.age(latest, AT - HOUR + silent) == timedelta(0), (
        "who counts from the latest time shows no age for an hour"
    )
    await engine.dispose()


def test_a_session_outlives_a_clock_that_is_set_back() -> None:
    now = 1_800_000_000.0
    sessions = Sessions(b"k" * 32, "http://127.0.0.1", now=lambda: now)
    response = Response()
    sessions.open(response, Principal("u", Role.OFFICE))
    cookie = response.headers["set-cookie"].partition(";")[0]
    now -= HOUR.total_seconds()
    scope = {"type": "http", "headers": [(b"cookie", cookie.encode())]}
    session = sessions.read(scope)
    assert session is not None and session.principal.subject == "u"
    with pytest.raises(InvalidClaimError):
        naive.session(now + HOUR.total_seconds(), now)


async def test_relay_and_worker_go_on_when_their_clock_is_set_back(
    database: str, infra: Infra, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if FAKETIME is None:
        pytest.skip("needs libfaketime (apt-get install libfaketime) to set a process's clock")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    kafka = settings_for(infra.kafka, infra.kafka_kind, topic_prefix)
    async with ledger(database) as engine:
        await make_shelf(engine)
        for name, value in {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a clock that is set does not touch the one that only counts
        }.items():
            monkeypatch.setenv(name, value)
        relaying, working = (process(role, database, kafka, infra.kafka_kind) for role in ("relay", "worker"))
        waiting = process("when-due", database, kafka, infra.kafka_kind, naive.__name__)
        async with relaying as relay, working as worker, waiting:
            await record(engine, *fill(20))
            await says(worker, "applying")

            async def has(count: int, handler: str = "shelf-view") -> bool:
                return len(await applied(engine, handler)) == count

            await until(lambda: has(20))
            await until(lambda: has(20, "when-due"))
            clock.write_text("-3600s")
            await record(engine, *fill(20, start=100))
            await until(lambda: has(40))

            async def tells() -> bool:
                told = [one.meta.published for one in await everything(kafka, HEADS, markers=True)]
                return not never_decreases(told)

            await until(tells, what="the relay tells a time that lies before one that it told")
            assert relay.returncode is worker.returncode is None
        assert in_order(await applied(engine))
        assert await has(20, "when-due"), "who waits for a time of day stands still for an hour"
