"""断供: the broker goes, the database goes; what can go on goes on, and all comes together again by itself."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from command.chaos import looking
from command.chaos.course import bureau, name_of_run
from command.chaos.storm import Plan, Storm
from command.chaos.verdict import Verdict, judge
from command.chaos.words import person, propose, unit
from command.services import services
from deploy.embedded import process
from deploy.embedded.kafka import EmbeddedKafka
from deploy.embedded.postgres import EmbeddedPostgres
from ledger.database import connect
from ledger.kafka import ensure_topics
from ledger.relay import Relay
from tests.conftest import Scale
from tests.e2e.system import ROLES, System, give, new_key, records, roster, system, until, xiapai
from tests.faults import naive
from tests.infra.servers import Infra
from tests.ledger.kafka_support import (
    JARS,
    TOPICS,
    applied,
    everything,
    fill,
    ledger,
    make_shelf,
    promised,
    record,
    running,
    settings_for,
    verdict,
)
from tests.ledger.kafka_support import process as naive_process
from tests.ledger.kafka_support import until as until_true

MORE_THAN_ENOUGH = 20_000


@dataclass(frozen=True, slots=True)
class Outage:
    """A system with a broker and a database of its own."""

    system: System
    kafka: EmbeddedKafka
    postgres: EmbeddedPostgres


@pytest.fixture(scope="module")
def own(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    with infra.own_kafka() as kafka, infra.own_postgres() as postgres:
        databases = {service.name: postgres.create_database(service.name) for service in services()}
        folder = tmp_path_factory.mktemp("outages")
        with system(folder, databases, kafka.bootstrap, "kafka") as made:
            made.prepare()
            made.start()
            made.until_ready()
            with made.client() as http:
                records(http, unit("BUREAU", "DISTRICT_DEPARTMENT"), unit("V1"), person("R1"), person("R2"))
            yield Outage(made, kafka, postgres)


def _is_well(system: System, role: str) -> bool:
    return bool(system.health(role)[1].get("status") == "ok")


def _told(system: System, role: str) -> str:
    return f"{role} is well: {system.health(role)[1]}"


def healthy(system: System) -> None:
    """Every process says that nothing is the matter, and none had to be started again."""
    for role in ROLES:
        assert system.running[role].poll() is None
        until(partial(_is_well, system, role), partial(_told, system, role))


@dataclass
class Load:
    """Commands all the while, and at some moment a fault: what to look at from within it."""

    storm: Storm
    back: list[float] = field(default_factory=list)

    async def came_back(self) -> None:
        """Seconds until a new command is answered, and readers see it and all before."""
        began, clerks = monotonic(), self.storm.clerks
        known = len(clerks.answered)
        await until_true(lambda: len(clerks.answered) > known)
        await looking.roster(clerks.http, bureau(self.storm.plan.run), clerks.position, began + 120)
        self.back.append(monotonic() - began)


async def under_load(own: Outage, fault: Callable[[Load], Awaitable[None]], times: int) -> Load:
    """Three clerks give ten commands a second each until the fault has happened so often; every promise was kept."""
    async with own.system.http() as http:
        storm = Storm(http, Plan(name_of_run(), MORE_THAN_ENOUGH, lanes=3, pause=0.1), random.Random(11))
        load, clerks = Load(storm), storm.clerks
        raging = asyncio.ensure_future(storm.rage())
        await until_true(lambda: len(clerks.answered) > 30)
        for _ in range(times):
            await fault(load)
        clerks.stop()
        await raging
        account = await storm.account()
    assert account.kept and not clerks.unanswered, account
    print(
        f"{len(clerks.answered)} commands in {account.seconds:.0f} s: {account.verdict}, longest wait"
        f" {account.longest_wait:.1f} s, back after {', '.join(f'{one:.1f}' for one in load.back)} s"
    )
    return load


def test_while_the_broker_is_cut_off_every_command_is_taken_and_soon_after_all_have_reached_their_readers(
    own: Outage, scale: Scale
) -> None:
    seconds = scale(15, 60)

    async def cut(load: Load) -> None:
        taken, cut = len(load.storm.clerks.answered), own.kafka.cut()
        await asyncio.to_thread(cut.__enter__)
        await asyncio.sleep(seconds)
        for role in ("relay", "worker"):
            await asyncio.to_thread(until, partial(degraded, own.system, role), f"{role} says it")
            alive, _ = await asyncio.to_thread(own.system.health, role, "livez")
            assert alive == 200, "an outage is no reason to start anew"
        assert (await asyncio.to_thread(own.system.health, "api"))[0] == 200
        assert (await load.storm.clerks.http.get("/api/query/roster")).status_code == 200, "what is known can be read"
        assert len(load.storm.clerks.answered) > taken + 10 * seconds, "commands were taken meanwhile"
        await asyncio.to_thread(cut.__exit__, None, None, None)
        await load.came_back()

    async def beside() -> tuple[Load, Verdict]:
        """And a producer that writes to the ledger and to the broker goes through the same."""
        kafka = settings_for(own.kafka.bootstrap, "kafka", "both.")
        async with ledger(own.postgres.create_database("both")) as engine:
            await ensure_topics(kafka, TOPICS)
            writing = asyncio.ensure_future(naive.write_to_both(engine, kafka, fill(2000)))
            load = await under_load(own, cut, 1)
            writing.cancel()
            await asyncio.wait({writing})
            published = [(one.meta.stream, one.meta.version) for one in await everything(kafka, JARS)]
            return load, judge(await promised(engine), published)

    load, both = asyncio.run(beside())
    assert load.storm.clerks.repeated == 0, "every command was taken at its first attempt"
    assert load.back[0] <= 30, "drained"
    assert both.lost, "the checker sees what a write to both loses"
    healthy(own.system)


def test_a_database_that_restarts_again_and_again_costs_no_event_and_all_is_soon_back(
    own: Outage, scale: Scale
) -> None:
    times = scale(5, 20)
    pids = {role: one.pid for role, one in own.system.running.items()}

    async def restart(load: Load) -> None:
        await asyncio.to_thread(own.postgres.restart_immediate)
        await load.came_back()

    async def beside() -> tuple[Load, Verdict]:
        """And a stock Faust agent, from which the error escapes, goes through the same."""
        kafka, dsn = settings_for(own.kafka.bootstrap, "kafka", "agent."), own.postgres.create_database("agent")
        async with ledger(dsn) as engine:
            await make_shelf(engine)
            await ensure_topics(kafka, TOPICS)
            async with (
                naive_process("agent", dsn, kafka, "kafka", naive.__name__),
                running(Relay(engine, kafka, "shelf", TOPICS).run()),
            ):
                await record(engine, *fill(7))
                await until_true(lambda: grows(engine))
                feeding = asyncio.ensure_future(record(engine, *fill(2000, start=9), at_once=1, pause=0.05))
                load = await under_load(own, restart, times)
                feeding.cancel()
                await asyncio.wait({feeding})
                while await grows(engine):
                    pass
                return load, await verdict(engine, "agent")

    load, agent = asyncio.run(beside())
    assert max(load.back) <= 15, load.back
    assert agent.lost, "the checker sees what is lost where the error escapes"
    healthy(own.system)
    assert {role: one.pid for role, one in own.system.running.items()} == pids, "no process had to be started again"


async def grows(engine: AsyncEngine) -> bool:
    """Whether the agent goes on applying."""
    count = len(await applied(engine, "agent"))
    await asyncio.sleep(3)
    return len(await applied(engine, "agent")) > count


def degraded(system: System, role: str) -> bool:
    status, said = system.health(role)
    return status == 200 and said["status"] == "degraded" and "broker" in str(said["checks"])


def test_without_its_database_the_api_says_so_and_all_recovers_by_itself(own: Outage) -> None:
    """An API that leaves it to its framework answers the same outage with 500, which tells nobody to come again."""
    system, key = own.system, new_key()

    def asked_naively() -> int:
        async def ask() -> int:
            engine = connect(system.settings.database("registry"))
            try:
                return (await naive.asked(engine)).status_code
            finally:
                await engine.dispose()

        return asyncio.run(ask())

    with system.client() as http:
        records(http, unit("V10"))
        assert asked_naively() == 200
        pids = {role: one.pid for role, one in system.running.items()}
        own.postgres.kill()
        refused = give(http, unit("V11"), key)
        assert (refused.status_code, refused.json()["code"]) == (503, "database-away"), refused.text
        assert refused.headers["Retry-After"] and "password" not in refused.text
        assert asked_naively() == 500
        asked = http.get("/api/query/roster")
        assert (asked.status_code, asked.json()["code"]) == (503, "database-away"), asked.text
        assert system.health("api")[0] == 503
        assert system.health("api", "livez")[0] == 200
        until(lambda: "database" in str(system.health("relay")[1].get("checks")), "the relay says it")
        own.postgres.start()
        taken = until(lambda: _taken(http, key), "the API takes commands again")
        last = records(http, person("R3"), propose("P3", "R3", "V11"))
        assert taken.json()["code"] == "V11"
        assert "P3" in roster(http, last)
    assert [stream for _, stream, _ in system.ledger("registry")].count("unit-V11") == 1
    healthy(system)
    assert {role: one.pid for role, one in system.running.items()} == pids, "no process had to be started again"


def _taken(http: httpx.Client, key: dict[str, str]) -> httpx.Response | None:
    answer = give(http, unit("V11"), key)
    return answer if answer.status_code == 201 else None


def in_one_line(code: int | None, said: str) -> bool:
    """A failure as an operator wants to read it: one line, which shows no password."""
    return code == 1 and len(said.splitlines()) == 1 and "Traceback" not in said and "secret-word" not in said


def nowhere() -> tuple[str, str]:
    """A DSN and a bootstrap address where nobody listens."""
    return f"postgresql://xiapai:secret-word@127.0.0.1:{process.free_port()}/x", f"127.0.0.1:{process.free_port()}"


@pytest.mark.parametrize("role", ROLES)
def test_a_process_that_starts_without_its_database_says_so_in_one_line_and_ends(role: str, tmp_path: Path) -> None:
    dsn, bootstrap = nowhere()
    with system(tmp_path, {service.name: dsn for service in services()}, bootstrap, "kafka") as made:
        made.start(role)
        code = made.running[role].wait(60)
        lines = process.tail(made.log(role)).splitlines()
    (said,) = (line for line in lines if "数据库" in line)
    assert in_one_line(code, said), said
    assert not any("Traceback" in line or "secret-word" in line for line in lines)


def test_who_handles_no_failure_says_it_in_a_page_of_python() -> None:
    """The naive variant of the tests around it: what starts without its servers, or with a wrong password."""
    dsn, bootstrap = nowhere()
    for role in ("when-due", "commit-afterwards"):
        done = naive.as_command(role, dsn, bootstrap)
        assert done.returncode == 1 and not in_one_line(done.returncode, done.stderr), done.stderr


def test_processes_that_start_without_a_broker_wait_for_it(own: Outage, tmp_path: Path) -> None:
    """A consumer as one writes it first ends instead, see above."""
    environment = own.system.environment | {"XIAPAI_KAFKA_BOOTSTRAP": nowhere()[1]}
    made = System(tmp_path, environment, {role: process.free_port() for role in ROLES})
    try:
        for role in ("relay", "worker"):
            if role == "relay":  # one leads, and the other waits for the lead: here it is this one
                own.system.kill("relay")
            made.start(role)
            until(lambda role=role: "broker" in str(made.health(role)[1].get("checks")), f"{role} says it")  # type: ignore[misc]
            assert made.health(role)[0] == 200 and made.health(role, "livez")[0] == 200
            assert made.running[role].poll() is None
            assert "Traceback" not in process.tail(made.log(role))
    finally:
        made.stop()
        own.system.start("relay")


def test_a_wrong_password_is_said_in_one_line(own: Outage) -> None:
    right = own.postgres.dsn.split(":")[2].split("@")[0]
    wrong = {name: value.replace(right, "secret-word") for name, value in own.system.environment.items()}
    done = xiapai("migrate", environment=wrong)
    assert in_one_line(done.returncode, done.stderr), done.stderr
    assert "secret-word" not in done.stdout
    done = naive.as_command("when-due", wrong["XIAPAI_DATABASE_NOTIFY"], nowhere()[1])
    assert done.returncode == 1 and not in_one_line(done.returncode, done.stderr), done.stderr


def test_a_command_without_servers_says_so_in_one_line(tmp_path: Path) -> None:
    dsn, bootstrap = nowhere()
    with system(tmp_path, {service.name: dsn for service in services()}, bootstrap, "kafka") as made:
        for command in ("migrate", "topics"):
            done = xiapai(command, environment=made.environment)
            assert in_one_line(done.returncode, done.stderr), done.stderr
