"""The ledger takes what was decided, whole or not at all, and says the truth about it."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger import claims, commit
from ledger.append import HALVED_FROM, Append, Appender, ClaimTaken, KeyReused, Receipt, Request, VersionConflict
from ledger.chain import Broken, verify
from ledger.claims import Claim
from ledger.database import driver
from ledger.reader import follow, head, read, read_stream
from ledger.testimony import Seen, contradiction
from tests.ledger.conftest import AT, CODEC, Made


def made(stream: str, *, expected: int | None = 0, count: int = 1, **more: object) -> Append:
    return Append(
        by="u1",
        at=AT,
        events=[(stream, Made(thing=stream, number=n)) for n in range(count)],
        expected={} if expected is None else {stream: expected},
        **more,  # type: ignore[arg-type]
    )


async def test_an_appended_event_can_be_read_as_it_was(engine: AsyncEngine, appender: Appender) -> None:
    receipt = await appender.append(made("thing-1", count=2, cause="because"))
    assert (receipt.position, receipt.versions) == (2, {"thing-1": 2})
    async with engine.connect() as connection:
        first, second = await read_stream(connection, "thing-1")
    assert (first.position, first.version, second.version) == (1, 1, 2)
    assert (first.by, first.at, first.cause) == ("u1", AT, "because")
    assert CODEC.decode(second.name, second.schema, second.data) == Made(thing="thing-1", number=1)


async def test_of_two_who_read_the_same_version_one_is_refused(appender: Appender) -> None:
    results = await asyncio.gather(
        appender.append(made("thing-1")), appender.append(made("thing-1")), return_exceptions=True
    )
    assert [type(r) for r in results] == [Receipt, VersionConflict]


async def test_a_stream_that_was_only_read_must_not_have_moved_either(appender: Appender) -> None:
    await appender.append(made("thing-1"))
    with pytest.raises(VersionConflict) as refusal:
        await appender.append(
            Append(by="u", at=AT, events=[("thing-2", Made(thing="2"))], expected={"thing-1": 0, "thing-2": 0})
        )
    assert (refusal.value.stream, refusal.value.actual) == ("thing-1", 1)


async def test_what_the_database_cannot_hold_fails_alone(engine: AsyncEngine, appender: Appender) -> None:
    appends = [made(f"thing-{n}", cause="\0" if n == 3 else "") for n in range(6)]
    results = await asyncio.gather(*map(appender.append, appends), return_exceptions=True)
    assert [type(r) for r in results].count(Receipt) == 5
    assert isinstance(results[3], Exception)
    async with engine.connect() as connection:
        assert sorted(one.stream for one in await read(connection, 0, 9)) == [f"thing-{n}" for n in (0, 1, 2, 4, 5)]
        assert [found async for found in verify(connection)] == [5]


async def test_one_conflict_in_a_group_fails_alone(engine: AsyncEngine, appender: Appender) -> None:
    await appender.append(made("thing-7"))
    results = await asyncio.gather(*(appender.append(made(f"thing-{n}")) for n in range(20)), return_exceptions=True)
    assert [type(r) for r in results].count(VersionConflict) == 1
    assert isinstance(results[7], VersionConflict)
    async with engine.connect() as connection:
        assert await head(connection) == 20


async def test_a_repeated_request_gets_its_first_answer_and_records_nothing(
    engine: AsyncEngine, appender: Appender
) -> None:
    request = Request("u1", "k1", b"digest")
    first = await appender.append(made("thing-1", request=request, answer=b"first"))
    again = await appender.append(made("thing-1", expected=1, request=request, answer=b"second"))
    assert (again.answer, again.position, again.repeated) == (b"first", first.position, True)
    async with engine.connect() as connection:
        assert await head(connection) == 1


async def test_a_request_that_recorded_nothing_is_remembered_too(appender: Appender) -> None:
    request = Request("u1", "k1", b"digest")
    await appender.append(Append(by="u1", at=AT, request=request, answer=b"nothing to do"))
    again = await appender.append(made("thing-1", request=request))
    assert (again.answer, again.repeated) == (b"nothing to do", True)


async def test_the_same_key_sent_twice_at_once_has_one_effect(engine: AsyncEngine, appender: Appender) -> None:
    request = Request("u1", "k1", b"digest")
    receipts = await asyncio.gather(*(appender.append(made("thing-1", request=request)) for _ in range(9)))
    assert [r.repeated for r in receipts].count(False) == 1
    async with engine.connect() as connection:
        assert await head(connection) == 1


async def test_the_same_key_with_another_body_is_refused_but_not_for_another_principal(appender: Appender) -> None:
    await appender.append(made("thing-1", request=Request("u1", "k1", b"one")))
    with pytest.raises(KeyReused):
        await appender.append(made("thing-2", request=Request("u1", "k1", b"two")))
    assert not (await appender.append(made("thing-3", request=Request("u2", "k1", b"two")))).repeated


def span(stream: str, first: int, last: int | None, *, shared: bool = False) -> Claim:
    return Claim("span", "p", stream, date(2026, 1, first), None if last is None else date(2026, 1, last), shared)


@pytest.mark.parametrize(
    ("held", "wanted", "taken"),
    [
        (span("a", 1, 10), span("b", 10, 12), True),
        (span("a", 1, 10), span("b", 11, 12), False),
        (span("a", 1, None), span("b", 20, 21), True),
        (span("a", 1, 10, shared=True), span("b", 5, 12, shared=True), False),
        (span("a", 1, 10, shared=True), span("b", 5, 12), True),
        (span("a", 1, 10), span("b", 5, 12, shared=True), True),
        (span("a", 1, 10), span("a", 5, 12), False),
        (Claim("number", "x", "a"), Claim("number", "x", "b"), True),
        (Claim("number", "x", "a"), Claim("other", "x", "b"), False),
    ],
)
@pytest.mark.parametrize("together", [False, True])
async def test_claims_exclude_each_other_where_they_overlap(
    appender: Appender, held: Claim, wanted: Claim, taken: bool, together: bool
) -> None:
    def take(claim: Claim) -> Append:
        return Append(by="u", at=AT, claims=[claim])

    if together:
        _, result = await asyncio.gather(
            appender.append(take(held)), appender.append(take(wanted)), return_exceptions=True
        )
    else:
        await appender.append(take(held))
        (result,) = await asyncio.gather(appender.append(take(wanted)), return_exceptions=True)
    assert isinstance(result, ClaimTaken) == taken, result
    if isinstance(result, ClaimTaken):
        assert result.holder == "a"


async def test_a_shortened_claim_makes_room(appender: Appender) -> None:
    await appender.append(Append(by="u", at=AT, claims=[span("a", 1, None)]))
    await appender.append(Append(by="u", at=AT, claims=[span("a", 1, 4)]))
    await appender.append(Append(by="u", at=AT, claims=[span("b", 5, 6)]))
    await appender.append(Append(by="u", at=AT, release=[("span", "b")]))
    await appender.append(Append(by="u", at=AT, claims=[span("c", 5, 6)]))


async def test_the_constraint_stands_behind_the_look_up(engine: AsyncEngine, appender: Appender) -> None:
    await appender.append(Append(by="u", at=AT, claims=[span("a", 1, 10, shared=True)]))
    async with engine.begin() as connection:
        with pytest.raises(DBAPIError, match="claims_kind_key_during_slot_excl"):
            await connection.execute(
                text("INSERT INTO claims VALUES ('span','p','b',daterange('2026-01-05', NULL),int8range(NULL,NULL))")
            )


async def test_positions_have_no_gaps_and_a_tailing_reader_misses_nothing(engine: AsyncEngine) -> None:
    seen: list[int] = []

    async def tail() -> None:
        async for portion in follow(engine, 0, limit=50):
            seen.extend(row.position for row in portion)
            if len(seen) >= 800:
                return

    async with Appender(engine, CODEC) as one, Appender(engine, CODEC) as two:
        reader = asyncio.create_task(tail())

        async def write(appender: Appender, writer: int) -> None:
            for n in range(25):
                await appender.append(made(f"thing-{writer}-{n}", count=2))

        await asyncio.gather(*(write(one if w % 2 else two, w) for w in range(16)))
        await asyncio.wait_for(reader, 20)
    assert seen == list(range(1, 801))


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


async def test_recorded_times_never_decrease_though_the_clock_does(engine: AsyncEngine, appender: Appender) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE ledger_meta SET clock='simulated', simulated_now='2026-07-01 09:00+08'"))
    await appender.append(made("thing-1"))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE ledger_meta SET simulated_now='2026-07-01 08:00+08'"))
    await appender.append(made("thing-2"))
    async with engine.connect() as connection:
        first, second = await read(connection, 0, 10)
    assert first.recorded_at == second.recorded_at


async def test_what_is_recorded_is_neither_changed_nor_deleted(engine: AsyncEngine, appender: Appender) -> None:
    await appender.append(made("thing-1"))
    for statement in ("UPDATE ledger SET by = 'me'", "DELETE FROM ledger", "TRUNCATE ledger"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with engine.begin() as connection:
                await connection.execute(text(statement))


TAMPERINGS = {
    "edited": ("UPDATE ledger SET data = '{}' WHERE position = 5", 5, "stream-hash"),
    "redated": ("UPDATE ledger SET recorded_at = recorded_at - interval '1 day' WHERE position = 5", 5, "hash"),
    "deleted": ("DELETE FROM ledger WHERE position = 5", 5, "gap"),
    "swapped": (
        "UPDATE ledger a SET stream = b.stream, data = b.data, id = b.id FROM ledger b"
        " WHERE (a.position, b.position) IN ((5, 6), (6, 5))",
        5,
        "stream-hash",
    ),
    "reordered": ("UPDATE ledger SET version = version + 1 WHERE position = 5", 5, "order"),
    "cut": ("DELETE FROM ledger WHERE position > 8", 9, "tail"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_every_tampering_is_found_and_named(engine: AsyncEngine, appender: Appender, name: str) -> None:
    for n in range(10):
        await appender.append(made(f"thing-{n}"))
    async with engine.connect() as connection:
        seen = [Seen(10, (await read(connection, 9, 1))[0].hash)]
        assert [found async for found in verify(connection)] == [10]
        assert await contradiction(connection, seen) is None
    statement, position, what = TAMPERINGS[name]
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE ledger DISABLE TRIGGER append_only"))
        await connection.execute(text("ALTER TABLE ledger DROP CONSTRAINT ledger_stream_version_key"))
        await connection.execute(text(statement))
    async with engine.connect() as connection:
        found: int | Broken | None = [found async for found in verify(connection)][-1]
        if name == "cut":
            assert found == 8, "what is left is sound in itself"
            found = await contradiction(connection, seen)
    assert isinstance(found, Broken)
    assert (found.position, found.what) == (position, what)


async def test_keys_change_and_vanish_in_an_order_that_can_be_followed(engine: AsyncEngine, appender: Appender) -> None:
    await appender.append(Append(by="u", at=AT, keys={"thing-1": b"one", "thing-2": b"two"}))
    await appender.append(Append(by="u", at=AT, keys={"thing-1": None}))
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT stream, wrapped, change FROM keyring ORDER BY change"))).all()
    assert [tuple(row) for row in rows] == [("thing-2", b"two", 2), ("thing-1", None, 3)]


async def test_claims_are_found_by_their_indexes_however_many_there_are(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text("""INSERT INTO claims SELECT 'k', 'key-' || n, 's-' || n, 'empty', int8range(n, n + 1)
                FROM generate_series(1, 20000) AS n""")
        )
        await connection.execute(text("ANALYZE claims"))
    async with engine.connect() as connection:
        asked = await driver(connection)
        await asked.execute(commit._BEGIN)
        plan = await asked.fetch("EXPLAIN " + claims._STANDING, ["k"] * 100, ["key-7"] * 100, ["s-8"] * 100)
        await asked.execute("ROLLBACK")
    said = "\n".join(row[0] for row in plan)
    assert "Index Scan using claims_key" in said and "Index Scan using claims_stream" in said, said
    assert "Seq Scan" not in said, said
