"""The ledger takes what was decided, whole or not at all, and says the truth about it."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger import claims, commit
from ledger.append import Append, Appender, ClaimTaken, KeyReused, Receipt, Request, VersionConflict
from ledger.chain import Broken, verify
from ledger.claims import Claim
from ledger.database import connect, driver
from ledger.migrate import migrate
from ledger.reader import follow, head, read, read_stream
from ledger.testimony import Seen, contradiction
from tests.ledger.conftest import AT, CODEC, Made, made, span


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


async def test_claims_of_an_older_program_stand_behind_the_newer_constraint(database: str) -> None:
    engine = connect(database)
    claim = "INSERT INTO claims VALUES ('span', 'p', '{}', daterange('2026-01-{}', NULL), int8range(NULL, NULL))"
    await migrate(engine, revision="0001")
    async with engine.begin() as connection:
        await connection.execute(text(claim.format("a", "01")))
    await migrate(engine)
    async with engine.begin() as connection:
        with pytest.raises(DBAPIError, match="claims_kind_key_during_slot_excl"):
            await connection.execute(text(claim.format("b", "05")))
    await engine.dispose()


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
