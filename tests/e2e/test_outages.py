"""断供: the broker goes, the database goes; what can go on goes on, and all comes together again by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from command.chaos.words import approve, arrive, person, propose, unit
from command.services import services
from deploy.embedded import process
from deploy.embedded.kafka import EmbeddedKafka
from deploy.embedded.postgres import EmbeddedPostgres
from tests.e2e.system import ROLES, System, give, new_key, records, roster, system, until, xiapai
from tests.infra.servers import Infra


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


def healthy(system: System) -> None:
    """Every process says that nothing is the matter, and none had to be started again."""
    for role in ROLES:
        assert system.running[role].poll() is None
        until(lambda role=role: system.health(role)[1].get("status") == "ok", f"{role} is well")  # type: ignore[misc]


def test_without_a_broker_commands_are_taken_and_reach_their_readers_once_it_is_back(own: Outage) -> None:
    system = own.system
    with system.client() as http:
        assert roster(http, records(http, propose("P1", "R1", "V1"))).keys() == {"P1"}
        with own.kafka.cut():
            last = records(http, approve("P1"), arrive("P1"), propose("P2", "R2", "V1"))
            for role in ("relay", "worker"):
                until(lambda role=role: system.health(role)[1]["status"] == "degraded", f"{role} says it")  # type: ignore[misc]
                status, said = system.health(role)
                assert status == 200 and "broker" in str(said["checks"])
                assert system.health(role, "livez")[0] == 200, "an outage is no reason to start anew"
            assert system.health("api")[0] == 200
            assert http.get("/api/query/roster").status_code == 200, "what is known can be read"
            records(http, unit("V2"))
        shown = roster(http, last)
    assert {code: item["status"] for code, item in shown.items()} == {"P1": "serving", "P2": "proposed"}
    until(lambda: len(system.ledger("notify")) == 2, "the arrival went the whole way")
    healthy(system)


def test_without_its_database_the_api_says_so_and_all_recovers_by_itself(own: Outage) -> None:
    system, key = own.system, new_key()
    with system.client() as http:
        records(http, unit("V10"))
        pids = {role: one.pid for role, one in system.running.items()}
        own.postgres.kill()
        refused = give(http, unit("V11"), key)
        assert (refused.status_code, refused.json()["code"]) == (503, "database-away"), refused.text
        assert refused.headers["Retry-After"] and "password" not in refused.text
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


@pytest.mark.parametrize("role", ROLES)
def test_a_process_that_starts_without_its_database_says_so_in_one_line_and_ends(role: str, tmp_path: Path) -> None:
    nowhere = f"postgresql://xiapai:secret-word@127.0.0.1:{process.free_port()}/x"
    databases = {service.name: nowhere for service in services()}
    with system(tmp_path, databases, f"127.0.0.1:{process.free_port()}", "kafka") as made:
        made.start(role)
        assert made.running[role].wait(60) == 1
        said = process.tail(made.log(role))
    assert "Traceback" not in said and "secret-word" not in said
    assert len([line for line in said.splitlines() if "数据库" in line]) == 1, said


def test_processes_that_start_without_a_broker_wait_for_it(own: Outage, tmp_path: Path) -> None:
    environment = own.system.environment | {"XIAPAI_KAFKA_BOOTSTRAP": f"127.0.0.1:{process.free_port()}"}
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
    wrong = {
        name: value.replace(own.postgres.dsn.split(":")[2].split("@")[0], "wrong-word")
        for name, value in own.system.environment.items()
    }
    done = xiapai("migrate", environment=wrong)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "wrong-word" not in done.stderr + done.stdout


def test_a_command_without_servers_says_so_in_one_line(tmp_path: Path) -> None:
    nowhere = f"postgresql://xiapai:secret-word@127.0.0.1:{process.free_port()}/x"
    databases = {service.name: nowhere for service in services()}
    with system(tmp_path, databases, f"127.0.0.1:{process.free_port()}", "kafka") as made:
        for command in ("migrate", "topics"):
            done = xiapai(command, environment=made.environment)
            assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
            assert "secret-word" not in done.stderr
