"""蜂拥而至: every command is sent one to five times at once, and its key is used again for another."""

import asyncio
import random
from collections import Counter

import pytest

from command.chaos.clerks import Clerks
from command.chaos.course import name_of_run
from command.chaos.storm import Plan, Storm
from command.chaos.verdict import judge
from ledger.append import Append, Appender, Request
from tests.conftest import Scale
from tests.e2e.system import System
from tests.ledger.kafka_support import AT, CODEC, JarFilled, ledger, promised


async def raged(system: System, plan: Plan, draw: random.Random) -> Clerks:
    async with system.http(at_once=plan.lanes * plan.copies) as http:
        storm = Storm(http, plan, draw)
        await storm.rage()
        return storm.clerks


def test_commands_sent_many_times_at_once_have_one_effect_each_and_a_used_key_takes_no_other(
    api_alone: System, scale: Scale
) -> None:
    plan = Plan(name_of_run(), scale(500, 2000), lanes=8, copies=5, foreign=1.0)
    clerks = asyncio.run(raged(api_alone, plan, random.Random(5)))
    print(f"{len(clerks.answered)} commands, {clerks.requests} requests, {clerks.foreign_refused} keys used again")
    assert len(clerks.answered) >= plan.commands and clerks.repeated > plan.commands
    assert (clerks.refused, clerks.contradicted, clerks.overwritten) == ([], [], [])
    assert clerks.foreign_refused == len(clerks.answered), "another command under a used key is refused"
    ledger = [one for one in api_alone.facts("registry") if plan.run in one[1][0]]
    verdict = judge(clerks.promised, (fact for _, fact, _ in ledger))
    assert verdict.kept, verdict
    expected = Counter((one.command.stream, name) for one in clerks.answered for name in one.command.names)
    assert Counter((stream, name) for _, (stream, _), name in ledger) == expected


@pytest.mark.parametrize("looked_up", [True, False])
async def test_the_checker_sees_the_second_effect_of_a_repeat_whose_key_nobody_looks_up(
    database: str, looked_up: bool
) -> None:
    draw = random.Random(5)
    async with ledger(database) as engine, Appender(engine, CODEC) as appender:

        async def send(n: int) -> None:
            request = Request("clerk", f"key-{n}", b"digest") if looked_up else None
            await appender.append(Append(by="test", at=AT, events=[(f"jar-{n}", JarFilled(grams=n))], request=request))

        await asyncio.gather(*(send(n) for n in range(100) for _ in range(draw.randint(1, 5))))
        found = judge([(f"jar-{n}", 1) for n in range(100)], await promised(engine))
    assert found.kept if looked_up else found.doubled and not found.lost, found
