"""A command is decided on what it read, and decided again when the world moved on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.append import Appender, ClaimTaken, KeyReused, Request
from ledger.claims import Claim
from ledger.command import Desk, Plan, PlanMaker, Reading
from ledger.decider import Decider, Refused
from tests.ledger.conftest import AT, CODEC, Made


@dataclass(frozen=True)
class Add:
    number: int
    limit: int = 100


def _decide(command: Add, total: int) -> list[Made]:
    if command.number == 0:
        return []
    if total + command.number > command.limit:
        raise Refused("too-much", total=total)
    return [Made(thing="sum", number=command.number)]


SUM: Decider[Add, int, Made] = Decider(0, _decide, lambda total, made: total + made.number)


def add(
    number: int,
    *,
    stream: str = "sum-1",
    limit: int = 100,
    answer: bytes = b"",
    claims: tuple[Claim, ...] = (),
    new: bool = False,
) -> PlanMaker:
    async def plan(reading: Reading) -> Plan:
        events = SUM.decide(Add(number, limit), await reading.state(SUM, stream, new=new))
        return Plan(events=[(stream, event) for event in events], answer=answer, claims=claims)

    return plan


@pytest.fixture
async def desk(engine: AsyncEngine, appender: Appender) -> AsyncIterator[Desk]:
    yield Desk(engine, appender, CODEC)


async def test_commands_at_once_are_all_decided_on_the_newest_state(desk: Desk) -> None:
    await asyncio.gather(*(desk.record(add(1), by="u", at=AT) for _ in range(8)))
    assert await desk.look(SUM, "sum-1") == (8, 8)


async def test_two_processes_do_not_pass_a_limit_together(engine: AsyncEngine, desk: Desk) -> None:
    async with Appender(engine, CODEC) as other_appender:
        other = Desk(engine, other_appender, CODEC)
        results = await asyncio.gather(
            *((desk if n % 2 else other).record(add(3, limit=10), by="u", at=AT) for n in range(8)),
            return_exceptions=True,
        )
    assert [type(r) for r in results].count(Refused) == 5
    assert await desk.look(SUM, "sum-1") == (3, 9)


async def test_a_refusal_that_rests_on_an_old_memory_is_decided_again(engine: AsyncEngine, desk: Desk) -> None:
    await desk.record(add(9), by="u", at=AT)
    async with Appender(engine, CODEC) as other_appender:
        await Desk(engine, other_appender, CODEC).record(add(-9), by="u", at=AT)
    assert (await desk.record(add(5, limit=10), by="u", at=AT)).position == 3


async def test_what_is_to_be_created_is_not_asked_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "look", None)
    assert (await desk.record(add(5, new=True), by="u", at=AT)).position == 1
    assert (await desk.record(add(5, new=True), by="u", at=AT)).position == 2, "remembered by now"


@pytest.mark.parametrize("number", [5, 0], ids=["something to record", "nothing to record"])
async def test_what_was_believed_new_and_is_not_is_decided_on_what_is_there(
    engine: AsyncEngine, desk: Desk, number: int
) -> None:
    async with Appender(engine, CODEC) as other_appender:
        await Desk(engine, other_appender, CODEC).record(add(9), by="u", at=AT)
    receipt = await desk.record(add(number, new=True), by="u", at=AT)
    assert receipt.versions == {"sum-1": 2 if number else 1}


async def test_a_refusal_of_what_was_believed_new_is_decided_again(engine: AsyncEngine, desk: Desk) -> None:
    async with Appender(engine, CODEC) as other_appender:
        await Desk(engine, other_appender, CODEC).record(add(-9), by="u", at=AT)
    assert (await desk.record(add(15, limit=10, new=True), by="u", at=AT)).position == 2


async def test_a_retried_command_gets_its_first_answer_though_it_would_be_refused_now(desk: Desk) -> None:
    request = Request("u", "k", b"d")
    first = await desk.record(add(9, limit=10, answer=b"done"), by="u", at=AT, request=request)
    again = await desk.record(add(9, limit=10, answer=b"done"), by="u", at=AT, request=request)
    assert (again.answer, again.position, again.repeated) == (b"done", first.position, True)
    with pytest.raises(KeyReused):
        await desk.record(add(9, limit=10), by="u", at=AT, request=Request("u", "k", b"other"))
    with pytest.raises(Refused):
        await desk.record(add(9, limit=10), by="u", at=AT, request=Request("u", "k2", b"d"))


async def test_a_retried_command_gets_its_first_answer_though_its_claim_is_taken_by_itself(desk: Desk) -> None:
    claims = (Claim("name", "x", "sum-1"),)
    request = Request("u", "k", b"d")
    await desk.record(add(1, claims=claims), by="u", at=AT, request=request)
    assert (await desk.record(add(1, claims=claims), by="u", at=AT, request=request)).repeated
    with pytest.raises(ClaimTaken):
        await desk.record(add(1, stream="sum-2", claims=(Claim("name", "x", "sum-2"),)), by="u", at=AT)


async def test_what_is_already_so_records_nothing(desk: Desk) -> None:
    await desk.record(add(1), by="u", at=AT)
    assert (await desk.record(add(0), by="u", at=AT)).position == 1
    assert await desk.look(SUM, "sum-1") == (1, 1)


async def test_memory_is_bounded(engine: AsyncEngine, appender: Appender) -> None:
    desk = Desk(engine, appender, CODEC, remember=10)
    await desk.preload(SUM, [f"sum-{n}" for n in range(30)])
    assert sum(desk.known(SUM, f"sum-{n}") is not None for n in range(30)) == 10
