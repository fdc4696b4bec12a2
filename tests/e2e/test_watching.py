"""运维: what the running system says to monitors: `doctor` and `/metrics`, while it is well and while it is not."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from xiapai_contracts.registry import POSTINGS

from command.chaos.words import approve, arrive, person, propose, unit
from deploy.embedded.process import free_port
from ledger.kafka import partition_of
from tests.e2e.conftest import prepared
from tests.e2e.system import ROLES, System, records, roster, until
from tests.e2e.test_poison import inject
from tests.infra.servers import Infra

ALERTS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "alerts.yml"


@pytest.fixture(scope="module")
def started(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One cadre on a posting, and files as `up` leaves them in its data folder."""
    with prepared(infra, tmp_path_factory.mktemp("watching")) as made:
        made.start()
        made.until_ready()
        with made.client() as http:
            records(http, unit("BUREAU", "DISTRICT_DEPARTMENT"), unit("V1"), person("R1"))
            assert len(roster(http, records(http, propose("P1", "R1", "V1"), approve("P1"), arrive("P1")))) == 1
        (made.folder / "environment.json").write_text("{}")
        (made.folder / "running.json").write_text(json.dumps({"url": made.url, "pid": str(os.getpid())}))
        for role in ("relay", "worker"):
            (made.folder / f"port-{role}").write_text(f"{made.ports[role]}\n")
        yield made


def doctor(system: System, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the findings by what was looked at."""
    before = dict(system.environment)
    system.environment.update(environment)
    try:
        result = system.command("doctor", "--json")
    finally:
        system.environment.clear()
        system.environment.update(before)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    said = json.loads(result.stdout)
    assert said["state"] == ("ok", "warning", "problem")[result.exit_code]
    for check in said["checks"]:
        assert check["says"] and bool(check["next"]) == (check["state"] != "ok"), check
    return result.exit_code, {check["check"]: check for check in said["checks"]}


def well(system: System) -> dict[str, dict[str, Any]] | None:
    """The findings, where there is neither a warning nor a problem."""
    code, found = doctor(system)
    return found if code == 0 else None


def states(found: dict[str, dict[str, Any]], state: str) -> set[str]:
    return {name for name, check in found.items() if check["state"] == state}


def metrics(system: System, role: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    answer = httpx.get(f"http://127.0.0.1:{system.ports[role]}/metrics", timeout=10, trust_env=False)
    assert answer.status_code == 200
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(answer.text):
        found.setdefault(family.name, [])  # one that has nothing to say now
        for sample in family.samples:
            found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return found


def test_a_healthy_system_is_found_well_in_every_part(started: System) -> None:
    found = until(lambda: well(started), "doctor finds all well")
    assert states(found, "ok") == found.keys(), found
    services = {"registry", "reporting", "assessment", "notify", "projection"}
    assert {f"database {name}" for name in services} < found.keys()
    assert {f"relay {name}" for name in services - {"projection"}} < found.keys()
    assert {"broker", "read model", "clock", "disk", "dead letters", *ROLES} < found.keys()
    assert any(name.startswith("handler projection-") for name in found)
    said = started.command("doctor")
    assert said.exit_code == 0 and "0 项故障 problems, 0 项注意 warnings" in said.stdout


def test_a_database_that_is_away_is_a_problem_and_the_others_are_still_examined(started: System) -> None:
    away = f"postgresql://nobody:geheim@127.0.0.1:{free_port()}/reporting"
    code, found = doctor(started, XIAPAI_DATABASE_REPORTING=away)
    assert code == 2 and "database reporting" in states(found, "problem")
    assert {"database registry", "relay registry", "broker", "read model"} <= states(found, "ok")
    assert "geheim" not in json.dumps(found)


def test_a_broker_that_is_away_is_a_problem_and_the_others_are_still_examined(started: System) -> None:
    code, found = doctor(started, XIAPAI_KAFKA_BOOTSTRAP=f"127.0.0.1:{free_port()}")
    assert code == 2 and states(found, "problem") == {"broker"}


def test_topics_of_another_prefix_are_missing_ones(started: System) -> None:
    code, found = doctor(started, XIAPAI_TOPIC_PREFIX="other.")
    assert code == 2 and "./xiapai topics" in found["topics"]["next"]


def test_settings_that_say_nothing_are_a_problem_and_not_a_crash(started: System, tmp_path: Path) -> None:
    result = started.command("doctor", "--json", "--data", str(tmp_path))
    assert result.exit_code == 0, "the environment tells of the databases"
    code, found = doctor(started, XIAPAI_CLOCK="sundial")
    assert code == 2 and states(found, "problem") == {"settings"}


def test_every_process_says_what_the_alarms_watch(started: System) -> None:
    watched = set(re.findall(r"\bxiapai_[a-z_]+", ALERTS.read_text(encoding="utf-8")))
    told = {role: metrics(started, role) for role in ROLES}
    missing = watched - {name for names in told.values() for name in names}
    assert missing == set()
    leaders = {labels["service"]: value for labels, value in told["relay"]["xiapai_relay_leader"]}
    assert leaders == dict.fromkeys(("registry", "reporting", "assessment", "notify"), 1)
    positions = {labels["service"]: value for labels, value in told["relay"]["xiapai_ledger_position"]}
    assert positions["registry"] == len(started.ledger("registry"))
    routes = {labels["route"] for labels, _ in told["api"]["xiapai_http_requests_total"]}
    assert "/api/query/roster" in routes and not any("R1" in route or "P1" in route for route in routes)
    appended = {labels["service"]: value for labels, value in told["api"]["xiapai_append_seconds_count"]}
    assert appended["registry"] == 6, "one for each command, also where it records two events"
    (read,) = told["worker"]["xiapai_read_model_position"]
    assert read[1] == positions["registry"]


def test_a_parked_letter_is_a_warning_that_names_the_next_step_and_a_figure(started: System) -> None:
    inject(started, partition_of("posting-P9", POSTINGS.partitions), b"posting-P9", b"?", [])
    until(lambda: started.rows("projection", "SELECT FROM dead_letters"), "the projection parks it")
    code, found = doctor(started)
    (name,) = {name for name in found if name.startswith("dead letters projection-")}
    assert code == 1 and name in states(found, "warning")
    assert "dead-letters replay projection" in found[name]["next"]

    def told() -> bool:
        parked = metrics(started, "worker").get("xiapai_parked_letters", [])
        return any(labels["service"] == "projection" and value == 1 for labels, value in parked)

    until(told, "the worker tells of it")
    raw = metrics(started, "worker")["xiapai_handler_unreadable_records_total"]
    assert any(labels["handler"].startswith("projection-") and value == 1 for labels, value in raw)


def test_a_relay_and_a_worker_that_are_gone_are_found(started: System) -> None:
    started.kill("relay")
    with started.client() as http:
        records(http, person("R2"))
    until(lambda: doctor(started)[1]["relay registry"]["state"] == "problem", "nobody leads")
    code, found = doctor(started)
    assert code == 2 and {"relay", "relay registry", "relay notify"} <= states(found, "problem")
    assert "2 个事件未发布" in found["relay registry"]["says"]
    started.kill("worker")
    started.start("relay")
    started.until_ready("relay")
    until(lambda: doctor(started)[1]["relay registry"]["state"] == "ok", "the relay leads again")
    _, found = doctor(started)
    late = {name for name in states(found, "problem") if name.startswith("handler projection-")}
    assert late and "2 个事件未处理" in found[late.pop()]["says"]
