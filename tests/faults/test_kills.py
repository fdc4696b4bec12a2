"""随时断电: the API, the relay and the worker are killed again and again while commands are given."""

import asyncio
import random
from collections import Counter
from functools import partial

from sqlalchemy import text

from command.chaos.course import name_of_run
from command.chaos.storm import Account, Fault, Plan, Storm
from command.chaos.verdict import Fact, judge
from ledger.kafka import KafkaSettings
from tests.conftest import Scale
from tests.e2e.system import ROLES, System, until
from tests.faults import naive
from tests.infra.servers import Infra
from tests.ledger import kafka_support
from tests.ledger.kafka_support import JARS, everything, fill, ledger, process, promised, record, says, settings_for

SEED = 20260701


def killing(system: System, role: str) -> Fault:
    """kill -9, and a new process at once, as a supervisor would start it."""

    async def kill() -> str:
        system.kill(role)
        system.start(role)
        return f"kill -9 {role}"

    return kill


async def accounted(system: System, plan: Plan, faults: list[Fault], draw: random.Random) -> Account:
    async with system.http() as http:
        storm = Storm(http, plan, draw, faults)
        await storm.rage()
        return await storm.account()


def chain_of(arrived: list[str]) -> dict[str, list[tuple[str, str]]]:
    """What the other services record of arrivals, once."""
    reminders = [f"reminder-REPORT_DUE-{posting}-1" for posting in arrived]
    reminders += [f"reminder-BASELINE_DUE-{posting}" for posting in arrived]
    return {
        "reporting": [(f"report-{posting}-1", "report.scheduled") for posting in arrived],
        "assessment": [(f"baseline-{posting}", "baseline.opened") for posting in arrived],
        # who arrived in January is not reminded in July any more
        "notify": [(stream, f"reminder.{end}") for stream in reminders for end in ("recorded", "lapsed")],
    }


def test_whatever_is_killed_no_acknowledged_command_is_lost_and_none_has_two_effects(
    whole: System, scale: Scale
) -> None:
    draw = random.Random(SEED)
    plan = Plan(name_of_run(), scale(200, 20_000), lanes=scale(4, 8), settle=scale(120, 300))
    kills = scale(20, 200)
    faults = [killing(whole, ROLES[number % len(ROLES)]) for number in range(kills)]
    draw.shuffle(faults)
    whole.start()
    whole.until_ready()
    account = asyncio.run(accounted(whole, plan, faults, draw))
    print(f"{account.commands} commands, {account.faults.total()} kills in {account.seconds:.0f} s: {account.verdict}")
    print(f"longest wait {account.longest_wait:.1f} s, seen {account.settled} s after the last answer")
    assert account.kept and account.complete, account
    assert account.faults.total() == kills and account.clerks.repeated, "a kill was met by a command"

    whole.until_ready()
    ledger = whole.facts("registry")
    answered = account.clerks.answered
    verdict = judge(account.clerks.promised, (fact for _, fact, _ in ledger))
    assert verdict.kept, verdict
    assert [position for position, _, _ in ledger] == list(range(1, len(ledger) + 1))
    expected = Counter((one.command.stream, name) for one in answered for name in one.command.names)
    assert Counter((stream, name) for _, (stream, _), name in ledger) == expected
    at = {position: (stream, name) for position, (stream, _), name in ledger}
    for one in answered:
        assert at[one.said["position"]] == (one.command.stream, one.command.names[-1]), (
            "the answer says where it stands"
        )

    arrived = [one.command.posting for one in answered if one.command.names == ("posting.arrived",)]
    for service, events in chain_of(arrived).items():
        until(partial(_recorded, whole, service, len(events)), f"{service} reacted")
        assert sorted((stream, name) for _, stream, name in whole.ledger(service)) == sorted(events)
    whole.audited()
    verified = whole.command("verify-chain")
    assert verified.exit_code == 0, verified.output
    assert "nothing is parked" in whole.command("dead-letters", "list").stdout


def _recorded(system: System, service: str, count: int) -> bool:
    return len(system.ledger(service)) >= count


async def test_the_checker_sees_what_a_relay_loses_that_remembers_before_the_broker_acknowledges(
    database: str, infra: Infra, topic_prefix: str
) -> None:
    kafka = settings_for(infra.kafka, infra.kafka_kind, topic_prefix)
    async with ledger(database) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE remembered (position bigint)"))
        await record(engine, *fill(50))
        for kill in (True, False):
            async with process("remember-first", database, kafka, infra.kafka_kind, naive.__name__) as relay:
                await says(relay, "remembered")
                if kill:
                    relay.kill()
                    continue

                async def last_is_there() -> bool:
                    return ("jar-0", 8) in await published(kafka)

                await kafka_support.until(last_is_there)
        found = judge(await promised(engine), await published(kafka))
        assert found.lost and not found.doubled, found


async def published(kafka: KafkaSettings) -> list[Fact]:
    return [(one.meta.stream, one.meta.version) for one in await everything(kafka, JARS)]
