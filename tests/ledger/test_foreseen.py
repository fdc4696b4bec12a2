"""What a process knows of its ledger is enough to write without looking, and to decide a group while the one before is
written; and where it knows wrongly, the ledger is looked at."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger import commit
from ledger.append import HALVED_FROM, Append, Appender, ClaimTaken, Receipt, Request, VersionConflict
from ledger.chain import verify
from ledger.reader import read, read_stream
from tests.ledger.conftest import AT, CODEC, Made, made, span


async def alone(appender: Appender, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing can be looked up: what is recorded all the same is recorded from what the process knows."""
    for n in range(3):
        await appender.append(made(f"known-{n}"))
    monkeypatch.setattr(commit, "_LOOK_UP", "SELECT 'looked up'")


async def test_who_writes_alone_needs_no_look_up(
    engine: AsyncEngine, appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alone(appender, monkeypatch)
    request = Request("u1", "k1", b"digest")
    new = made("new", claims=[span("new", 1, 4)], release=[("other", "new")], keys={"new": b"key"}, request=request)
    assert (await appender.append(new)).versions == {"new": 1}
    assert (await appender.append(made("known-1", expected=1, count=2))).versions == {"known-1": 3}
    assert (await appender.append(made("known-1", expected=None))).versions == {"known-1": 4}
    monkeypatch.undo()
    with pytest.raises(ClaimTaken):
        await appender.append(made("late", claims=[span("late", 4, 5)]))
    with pytest.raises(ClaimTaken):
        await appender.append(made("late", claims=[span("late", 1, 1)]))
    assert (await appender.append(made("new", request=request))).repeated
    async with engine.connect() as connection:
        assert [found async for found in verify(connection)] == [7]
        assert await connection.scalar(text("SELECT count(*) FROM claims")) == 1
        assert await connection.scalar(text("SELECT wrapped FROM keyring")) == b"key"


class Gate:
    """Holds up what is written from what the process knows, so that more comes while a group is on its way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open, self.reached = asyncio.Event(), asyncio.Event()
        write = commit._as_foreseen

        async def held(*arguments: Any) -> bool:
            self.reached.set()
            await self.open.wait()
            return await write(*arguments)

        monkeypatch.setattr(commit, "_as_foreseen", held)


async def behind(gate: Gate, appender: Appender, first: Append, *more: Append) -> list[Receipt | BaseException]:
    """What becomes of ``more``, which come while ``first`` is being written; ``first``'s own outcome last."""
    one = asyncio.create_task(appender.append(first))
    await gate.reached.wait()
    others = [asyncio.create_task(appender.append(append)) for append in more]
    await asyncio.sleep(0.05)
    assert appender._next is not None, "they were not foreseen"
    gate.open.set()
    return await asyncio.gather(*others, one, return_exceptions=True)


async def test_a_group_is_decided_while_the_one_before_is_written(
    engine: AsyncEngine, appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alone(appender, monkeypatch)
    first = made("first", claims=[span("first", 1, 4)])
    more = [made("first", expected=1), made("second"), made("known-1", expected=1), made("first", expected=2)]
    found = await behind(Gate(monkeypatch), appender, first, *more)
    assert [one.position for one in found if isinstance(one, Receipt)] == [5, 6, 7, 8, 4]
    async with engine.connect() as connection:
        assert [n async for n in verify(connection)] == [8]
        assert [row.version for row in await read_stream(connection, "first")] == [1, 2, 3]


async def test_what_was_foreseen_wrongly_is_looked_up(
    engine: AsyncEngine, appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        await appender.append(made(f"known-{n}"))
    request = Request("u1", "k1", b"digest")
    first = made("first", claims=[span("first", 1, 4)], request=request)
    late = [
        made("first"),
        made("first", expected=1, claims=[span("first", 3, 9)]),
        made("other", claims=[span("other", 4, 5)]),
        made("first", request=request),
        made("second"),
    ]
    stale, changed, taken, repeated, passed, whole = await behind(Gate(monkeypatch), appender, first, *late)
    assert isinstance(stale, VersionConflict) and stale.actual == 1
    assert isinstance(changed, Receipt) and changed.versions == {"first": 2}
    assert isinstance(taken, ClaimTaken) and taken.holder == "first"
    assert isinstance(repeated, Receipt) and repeated.repeated and repeated.position == 4
    assert isinstance(passed, Receipt) and isinstance(whole, Receipt)
    async with engine.connect() as connection:
        assert [n async for n in verify(connection)] == [6]


async def test_a_group_behind_one_that_another_writer_overtook_is_looked_up(
    engine: AsyncEngine, appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        await appender.append(made(f"known-{n}"))
    gate = Gate(monkeypatch)
    one = asyncio.create_task(appender.append(made("known-1", expected=1)))
    await gate.reached.wait()
    behind = [asyncio.create_task(appender.append(made("known-1", expected=2))) for _ in range(2)]
    async with Appender(engine, CODEC) as other:
        await other.append(made("known-1", expected=1))
    gate.open.set()
    found = await asyncio.gather(one, *behind, return_exceptions=True)
    assert [type(each) for each in found] == [VersionConflict, Receipt, VersionConflict]
    async with engine.connect() as connection:
        assert [n async for n in verify(connection)] == [5]


@pytest.mark.parametrize(
    ("read", "looked_up"), [({"known-1": 1, "never": 0}, False), ({"known-1": 2}, True), ({"never": 1}, True)]
)
async def test_versions_that_were_only_read_are_compared_by_the_write(
    engine: AsyncEngine, appender: Appender, read: dict[str, int], looked_up: bool
) -> None:
    for n in range(3):
        await appender.append(made(f"known-{n}"))
    appender._head.streams.clear()
    new = Append(by="u", at=AT, events=[("new", Made(thing="new"))], expected={"new": 0} | read)
    if looked_up:
        with pytest.raises(VersionConflict):
            await appender.append(new)
    else:
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(commit, "_LOOK_UP", "SELECT 'looked up'")
            assert (await appender.append(new)).versions == {"new": 1} | read


async def test_a_stream_that_was_read_and_then_written_is_chained_to_what_it_holds(
    engine: AsyncEngine, appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        await appender.append(made(f"known-{n}"))
    appender._head.streams.clear()
    reads = Append(by="u", at=AT, events=[("new", Made(thing="new"))], expected={"new": 0, "known-1": 1, "later": 0})
    late = [reads, made("known-1", expected=1), made("later")]
    found = await behind(Gate(monkeypatch), appender, made("first"), *late)
    assert [type(one) for one in found] == [Receipt] * 4
    async with engine.connect() as connection:
        assert [n async for n in verify(connection)] == [7]


async def test_many_writers_go_on_in_two_halves(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    async with Appender(engine, CODEC, observe=lambda settled: sizes.append(len(settled.results))) as appender:
        await alone(appender, monkeypatch)
        sizes.clear()

        async def write(writer: int) -> None:
            for n in range(6):
                await appender.append(made(f"thing-{writer}", expected=n))

        await asyncio.gather(*map(write, range(2 * HALVED_FROM)))
    assert sum(sizes) == 12 * HALVED_FROM and max(sizes[1:]) <= HALVED_FROM
    async with engine.connect() as connection:
        assert [n async for n in verify(connection)] == [3 + 12 * HALVED_FROM]


async def test_who_leaves_waits_until_all_is_recorded(engine: AsyncEngine) -> None:
    async with Appender(engine, CODEC) as appender:
        waiting = [asyncio.create_task(appender.append(made(f"thing-{n}"))) for n in range(100)]
        await asyncio.sleep(0)
    assert [receipt.position for receipt in await asyncio.gather(*waiting)] == list(range(1, 101))


async def test_nobody_is_believed_who_knows_an_older_ledger(engine: AsyncEngine) -> None:
    async with Appender(engine, CODEC) as one, Appender(engine, CODEC) as two:
        for n in range(3):
            await one.append(made(f"thing-{n}"))
        await two.append(made("thing-1", expected=1))
        reads = Append(by="u", at=AT, events=[("new", Made(thing="n"))], expected={"new": 0, "thing-1": 1})
        with pytest.raises(VersionConflict) as refusal:
            await one.append(reads)
        assert refusal.value.actual == 2
        await two.append(made("new"))
        with pytest.raises(VersionConflict):
            await one.append(made("new"))
        assert (await one.append(made("thing-1", expected=2))).position == 6
    async with engine.connect() as connection:
        assert [found async for found in verify(connection)] == [6]


async def test_a_new_stream_that_is_not_new_is_refused_though_nothing_is_known_of_it(
    engine: AsyncEngine, appender: Appender
) -> None:
    async with Appender(engine, CODEC) as other:
        await other.append(made("thing-1"))
    for n in range(3):
        await appender.append(made(f"other-{n}"))
    with pytest.raises(VersionConflict):
        await appender.append(made("thing-1"))
    assert (await appender.append(made("thing-2"))).position == 5


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_meta SET clock = 'simulated', simulated_now = '2026-07-01 09:00+08'",
        "UPDATE ledger_meta SET clock = 'simulated', simulated_now = now()",
    ],
)
async def test_a_clock_that_another_moved_is_seen(engine: AsyncEngine, appender: Appender, change: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE ledger_meta SET clock='simulated', simulated_now='2026-06-01 09:00+08'"))
    for n in range(3):
        await appender.append(made(f"thing-{n}"))
    async with engine.begin() as connection:
        await connection.execute(text(change))
    await appender.append(made("late"))
    async with engine.connect() as connection:
        (last,) = await read_stream(connection, "late")
        assert last.recorded_at == await connection.scalar(text("SELECT simulated_now FROM ledger_meta"))


async def test_what_is_recorded_from_memory_has_the_servers_time(engine: AsyncEngine, appender: Appender) -> None:
    await appender.append(made("thing-0"))
    await asyncio.sleep(1.2)
    for n in range(1, 9):
        await appender.append(made(f"thing-{n}"))
    async with engine.connect() as connection:
        rows = await read(connection, 0, 9)
        now = await connection.scalar(text("SELECT clock_timestamp()"))
    times = [row.recorded_at for row in rows]
    assert times == sorted(times) and timedelta(0) <= now - times[-1] < timedelta(seconds=1)
    assert times[1] - times[0] > timedelta(seconds=1)
