"""篡改: whatever somebody with the database's password does to a ledger is found, and named where it begins."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.append import Append, Appender
from ledger.chain import GENESIS, Broken, stream_hash, table_hash, verify
from ledger.kafka import KafkaSettings
from ledger.reader import epoch, read
from ledger.recorded import Recorded
from ledger.relay import Relay
from ledger.schema import events
from ledger.testimony import Seen, contradiction, in_topics, remembered
from ledger.tracing import continue_trace
from tests.conftest import Scale
from tests.faults.naive_ledger import chain_of_streams, chain_over_data, stands
from tests.infra.servers import Infra
from tests.ledger.kafka_support import (
    AT,
    CODEC,
    TOPICS,
    JarFilled,
    JarLabelled,
    LidTurned,
    ledger,
    running,
    settings_for,
    until,
)

SEED = 20260724
EVENTS = 60
COLUMNS = tuple(column.name for column in events.c)


@dataclass(frozen=True, slots=True)
class Tampering:
    """What is done, and the position at which it begins."""

    kind: str
    position: int
    do: Callable[[AsyncConnection], Awaitable[Any]]


def other(draw: random.Random, column: str, row: Recorded) -> Any:
    """Another value for a column, often one that looks right."""
    value = getattr(row, column)
    match value:
        case bool():
            raise AssertionError(column)
        case int():
            return EVENTS + draw.randint(1, 1000) if column == "position" else value + draw.choice((-1, 1, 2))
        case bytes():
            at = draw.randrange(len(value))
            return value[:at] + bytes([value[at] ^ (1 << draw.randrange(8))]) + value[at + 1 :]
        case UUID():
            return UUID(int=draw.getrandbits(128))
        case str():
            return draw.choice((value + "x", value[:-1] + "~" if value else "y"))
    return value + timedelta(microseconds=draw.choice((-3_600_000_000, -1, 1, 86_400_000_000)))


async def _update(connection: AsyncConnection, position: int, values: dict[str, Any]) -> None:
    sets = ", ".join(f'"{column}" = :{column}' for column in values)
    await connection.execute(text(f"UPDATE ledger SET {sets} WHERE position = :here"), {**values, "here": position})


def edited(draw: random.Random, rows: Sequence[Recorded], column: str) -> Tampering:
    row = draw.choice(rows)
    value = other(draw, column, row)
    return Tampering(f"edited {column}", row.position, lambda c: _update(c, row.position, {column: value}))


def deleted(draw: random.Random, rows: Sequence[Recorded]) -> Tampering:
    row = draw.choice(rows[:-1])

    async def do(connection: AsyncConnection) -> None:
        await connection.execute(text("DELETE FROM ledger WHERE position = :p"), {"p": row.position})
        if draw.random() < 0.5:  # and covers it up
            await connection.execute(
                text("UPDATE ledger SET position = position - 1 WHERE position > :p"), {"p": row.position}
            )

    return Tampering("deleted", row.position, do)


def swapped(draw: random.Random, rows: Sequence[Recorded]) -> Tampering:
    """Two rows change places, whole or all but their hashes."""
    one, two = sorted(draw.sample(list(rows), 2), key=lambda row: row.position)
    columns = [name for name in COLUMNS if name != "position"]
    if draw.random() < 0.5:
        columns = columns[:-2]

    async def do(connection: AsyncConnection) -> None:
        for here, there in ((one, two), (two, one)):
            await _update(connection, here.position, {name: getattr(there, name) for name in columns})

    return Tampering("swapped", one.position, do)


def cut(draw: random.Random, rows: Sequence[Recorded]) -> Tampering:
    """The tail is gone, and what the database says beside it too."""
    row = draw.choice(rows)

    async def do(connection: AsyncConnection) -> None:
        await connection.execute(text("DELETE FROM ledger WHERE position >= :p"), {"p": row.position})
        await connection.execute(text("UPDATE relay SET position = 0, partitions = '{}'"))

    return Tampering("cut", row.position, do)


def forged(draw: random.Random, rows: Sequence[Recorded]) -> Tampering:
    """One row is edited, and the hashes of all that follow are computed anew: the ledger is sound in itself."""
    row = draw.choice(rows)
    column = draw.choice(("stream", "data", "id", "cause", "by", "at", "recorded_at"))
    value = "elsewhere-1" if column == "stream" else other(draw, column, row)

    async def do(connection: AsyncConnection) -> None:
        await _update(connection, row.position, {column: value})
        before, streams = GENESIS, dict[str, tuple[int, bytes]]()
        for each in await read(connection, 0, 2 * EVENTS):
            version, head = streams.get(each.stream, (0, GENESIS))
            own = stream_hash(
                head,
                stream=each.stream,
                version=version + 1,
                name=each.name,
                schema=each.schema,
                data=each.data,
                id=each.id.bytes,
                cause=each.cause,
                by=each.by,
                at=each.at,
            )
            streams[each.stream] = (version + 1, own)
            before = table_hash(before, position=each.position, recorded_at=each.recorded_at, stream_hash=own)
            await _update(connection, each.position, {"version": version + 1, "stream_hash": own, "hash": before})

    return Tampering("forged", row.position, do)


def tamperings(draw: random.Random, rows: Sequence[Recorded], count: int) -> list[Tampering]:
    kinds: list[Callable[[], Tampering]] = [
        *(lambda column=column: edited(draw, rows, column) for column in COLUMNS),
        *(lambda make=make: make(draw, rows) for make in (deleted, swapped, cut, forged) * 3),
    ]
    return [kinds[number % len(kinds)]() for number in range(count)]


async def found(connection: AsyncConnection, seen: Sequence[Seen]) -> Broken | None:
    """What `verify-chain` finds."""
    async for step in verify(connection):
        if isinstance(step, Broken):
            return step
    return await contradiction(connection, seen)


async def recorded(engine: AsyncEngine) -> None:
    draw = random.Random(SEED)
    async with Appender(engine, CODEC) as appender:
        for number in range(EVENTS):
            event = draw.choice((JarFilled(grams=number), JarLabelled(text_=f"酱 {number}"), LidTurned(degrees=number)))
            kind = "lid" if isinstance(event, LidTurned) else "jar"
            with continue_trace(f"00-{draw.getrandbits(128):032x}-{draw.getrandbits(64):016x}-01"):
                await appender.append(
                    Append(
                        by=f"u{number % 3}",
                        at=AT + timedelta(minutes=number),
                        events=[(f"{kind}-{draw.randrange(9)}", event)],
                        cause=f"because/{number}",
                    )
                )


async def published(engine: AsyncEngine, kafka: KafkaSettings) -> list[Seen]:
    """What the topics hold, once all is published."""
    async with running(Relay(engine, kafka, "shelf", TOPICS).run()):

        async def all_told() -> list[Seen]:
            async with engine.connect() as connection:
                life = await epoch(connection)
            told = [one async for told, _ in in_topics(kafka, TOPICS, "shelf", life) for one in told.seen]
            return told if {one.position for one in told if one.trace is not None} == set(range(1, EVENTS + 1)) else []

        async def remembers() -> bool:
            async with engine.connect() as connection:
                return await remembered(connection) == EVENTS

        await until(remembers)
        seen: list[Seen] = await until(all_told)
    return seen


async def test_every_tampering_is_found_and_named(database: str, infra: Infra, topic_prefix: str, scale: Scale) -> None:
    kafka = settings_for(infra.kafka, infra.kafka_kind, topic_prefix)
    async with ledger(database) as engine:
        await recorded(engine)
        seen = await published(engine, kafka)
        async with engine.connect() as connection:
            rows = await read(connection, 0, 2 * EVENTS)
            assert await found(connection, seen) is None, "untouched, it is sound"
        by_data, by_stream = chain_over_data(rows), chain_of_streams(rows)
        missed: dict[str, Counter[str]] = {"data": Counter(), "streams": Counter(), "no witness": Counter()}
        done = tamperings(random.Random(SEED), rows, scale(130, 1000))
        for tampering in done:
            async with engine.connect() as connection, connection.begin() as transaction:
                # who tampers has the owner's rights: no trigger stops him, and no constraint
                await connection.execute(text("SET LOCAL session_replication_role = replica"))
                for constraint in ("ledger_stream_version_key", "ledger_pkey"):
                    await connection.execute(text(f"ALTER TABLE ledger DROP CONSTRAINT {constraint}"))
                await tampering.do(connection)
                broken = await found(connection, seen)
                assert broken is not None, tampering.kind
                assert broken.position == tampering.position, (tampering, broken)
                now = await read(connection, 0, 2 * EVENTS)
                if stands(by_data, chain_over_data(now)):
                    missed["data"][tampering.kind] += 1
                if stands(by_stream, chain_of_streams(now)):
                    missed["streams"][tampering.kind] += 1
                if await found(connection, ()) is None:
                    missed["no witness"][tampering.kind] += 1
                await transaction.rollback()
    print({name: dict(kinds) for name, kinds in missed.items()})
    assert {"edited by", "edited at", "edited cause", "edited recorded_at", "cut"} <= missed["data"].keys()
    assert {"edited recorded_at", "deleted", "cut"} <= missed["streams"].keys()
    assert {"cut", "forged", "edited trace"} == missed["no witness"].keys()
    assert len(done) == scale(130, 1000)
