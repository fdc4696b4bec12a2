"""升级: a newer program takes over while reads go on, and the older one does not start on what the newer one left."""

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from chassis.identity.development import mint
from chassis.identity.principal import Role
from command.chaos.words import approve, arrive, person, propose, unit
from command.services import services
from deploy.compose.newer import REFUSAL, newer_program
from deploy.embedded import process
from services.projection.builds import VERSION
from tests.e2e.system import CHECKOUT, PATIENCE_SECONDS, ROLES, System, records, roster, until


class Newer:
    """The newer program on an older system's databases and topics, its processes at ports of their own."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system, self.folder = system, folder
        self.ports = {role: process.free_port() for role in ROLES}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def _environment(self, **more: str) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("XIAPAI_")}
        return own | self.system.environment | {"PYTHONPATH": str(self.folder)} | more

    def command(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "command", *words], env=self._environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def start(self, role: str) -> None:
        command = [sys.executable, "-P", "-m", "command", "run", role, *(service.name for service in services())]
        log, env = self.folder / f"{role}.log", self._environment(XIAPAI_HTTP_PORT=str(self.ports[role]))
        self.running[role] = process.spawn(command, log=log, cwd=self.folder, env=env)

    def url(self, role: str) -> str:
        return f"http://127.0.0.1:{self.ports[role]}"

    def until_ready(self, role: str) -> None:
        def ready() -> bool:
            tail = process.tail(self.folder / f"{role}.log", 2000)
            assert self.running[role].poll() is None, f"the newer {role} ended: {tail}"
            try:
                return httpx.get(f"{self.url(role)}/readyz", trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        until(ready, f"the newer {role} is ready")

    def stop(self) -> None:
        for one in self.running.values():
            one.terminate()
        for one in self.running.values():
            one.wait(20)


@contextmanager
def reading(address: list[str], token: str) -> Iterator[Counter[str]]:
    """Somebody who reads the roster again and again, at the address of the moment; the answers, by status and size."""
    answers: Counter[str] = Counter()
    stop = threading.Event()

    def read() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(headers=headers, timeout=10, trust_env=False) as http:
            while not stop.is_set():
                try:
                    answer = http.get(f"{address[0]}/api/query/roster", params={"status": "any", "limit": 50})
                    said = f"{answer.status_code}, {len(answer.json().get('items', ()))} rows"
                except httpx.TransportError as error:
                    said = type(error).__name__
                answers[said] += 1
                stop.wait(0.01)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join()


def test_a_newer_program_takes_over_while_reads_go_on_and_the_older_one_does_not_start_again(
    whole: System, tmp_path: Path
) -> None:
    newer = Newer(whole, newer_program(CHECKOUT, tmp_path / "newer"))
    whole.start()
    whole.until_ready()
    with whole.client() as http:
        first = [unit("BUREAU", "DISTRICT_DEPARTMENT"), unit("TOWN", "TOWN"), unit("VILLAGE", parent="TOWN")]
        steps = [(person(f"R{n}"), propose(f"P{n}", f"R{n}", "VILLAGE"), approve(f"P{n}")) for n in range(20)]
        position = records(http, *first, *(command for step in steps for command in step))
        assert len(roster(http, position)) == 20
        address = [whole.url]
        try:
            with reading(address, mint(whole.settings, Role.OFFICE)) as answers:
                newer.command("migrate")
                # The older program goes on working on the wider tables: it records, publishes and projects.
                assert roster(http, records(http, arrive("P0")))["P0"]["status"] == "serving"
                status, said = whole.health("api")
                assert (status, said["status"]) == (200, "degraded")
                newer.start("worker")
                newer.until_ready("worker")
                assert [(row["version"], row["state"]) for row in builds(whole)] == [
                    (VERSION, "retired"),
                    (VERSION + 1, "live"),
                ]
                seen = sum(answers.values())
                until(lambda: sum(answers.values()) > seen + 20, "the older api goes on reading after the switch")
                position = records(http, arrive("P1"))
                assert roster(http, position)["P1"]["status"] == "serving", "and sees what is recorded now"
                newer.start("api")
                newer.until_ready("api")
                address[0] = newer.url("api")
                seen = sum(answers.values())
                until(lambda: sum(answers.values()) > seen + 20, "the newer api reads")
            assert set(answers) == {"200, 20 rows"}, answers
            whole.stop()
            newer.start("relay")
            newer.until_ready("relay")
            with httpx.Client(base_url=newer.url("api"), headers=http.headers, timeout=30, trust_env=False) as after:
                position = records(after, arrive("P2"))
                assert {p for p, item in roster(after, position).items() if item["arrived_on"]} == {"P0", "P1", "P2"}
        finally:
            newer.stop()
    for role in ROLES:
        refused(whole, role, REFUSAL)


def builds(system: System) -> list[dict[str, object]]:
    return [dict(row) for row in system.rows("projection", "SELECT version, state FROM builds ORDER BY id")]


def refused(system: System, role: str, said: str) -> None:
    """It ends with 1, having said why in one line."""
    size = system.log(role).stat().st_size
    system.start(role)
    gone = system.running.pop(role)
    assert gone.wait(PATIENCE_SECONDS) == 1
    words = system.log(role).read_text()[size:].strip().splitlines()
    assert len(words) == 1 and said in words[0] and "start the newer program" in words[0], words


@pytest.mark.parametrize("role", ["api", "worker"])
def test_an_older_program_does_not_start_on_read_models_of_a_newer_one(api_alone: System, role: str) -> None:
    system = api_alone
    system.rows("projection", "DELETE FROM builds")
    system.rows("projection", "INSERT INTO builds (version, state, former) VALUES ($1, 'live', '{}')", VERSION + 1)
    if role in system.running:
        system.stop()
    system.log(role).touch()
    refused(system, role, f"of version {VERSION + 1}, newer than this program knows ({VERSION})")
