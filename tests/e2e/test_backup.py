"""备份与恢复: taken while everything works, all of it thrown away, restored beside a broker that remembers more."""

import secrets
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import httpx

from chassis.keys import signing_key
from command.chaos.words import Command, approve, arrive, person, propose, unit
from command.examine import newest_backup
from command.finding import State
from command.services import services
from ledger.backup import folder as folders
from tests.e2e.system import System, give, new_key, records, roster, system, until
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.infra.topics import delete_topics

LANES = 3
GONE = "SELECT 1 FROM rm_1.persons WHERE person = $1 AND erased AND name IS NULL"


@dataclass
class Office:
    """Clerks who register, propose, approve and note arrivals until told to stop; what was acknowledged, in order."""

    http: httpx.Client
    answered: list[tuple[Command, dict[str, str], int]] = field(default_factory=list)
    stop: Event = field(default_factory=Event)

    def give(self, command: Command) -> None:
        key = new_key()
        answer = give(self.http, command, key)
        assert answer.status_code in (200, 201), answer.text
        self.answered.append((command, key, answer.json()["position"]))

    def work(self, lane: int) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            cadre, posting = f"R{lane}-{number}", f"P{lane}-{number}"
            proposed = propose(posting, cadre, "VILLAGE", starts="2026-06-15")
            for one in (person(cadre), proposed, approve(posting), arrive(posting, on="2026-06-20")):
                self.give(one)

    def arrived(self, upto: int) -> list[str]:
        return sorted(c.posting for c, _, at in self.answered if c.names == ("posting.arrived",) and at <= upto)


@contextmanager
def receiver() -> Iterator[tuple[str, list[str]]]:
    """Takes reminders over a socket; the keys under which they came."""
    keys: list[str] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Idempotency-Key"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", keys
    finally:
        server.shutdown()


@contextmanager
def another(infra: Infra, folder: Path, old: System | None, prefix: str, webhook: str) -> Iterator[System]:
    """An empty machine: databases without a table, and of the old one only what is kept apart: its two keys."""
    folder.mkdir()
    databases = Databases(infra.postgres)
    try:
        if old is not None:
            for name in ("kek", "backup-key"):
                shutil.copy(old.folder / name, folder / name)
        own = {service.name: databases() for service in services()}
        with system(folder, own, infra.kafka, infra.kafka_kind, prefix, XIAPAI_WEBHOOK_URL=webhook) as made:
            yield made
    finally:
        databases.drop_all()


def reacted(system: System, arrived: list[str]) -> bool:
    return (
        len(system.ledger("reporting")) >= len(arrived)
        and len(system.ledger("assessment")) >= len(arrived)
        and len(system.ledger("notify")) >= 4 * len(arrived)
    )


def once_each(system: System, arrived: list[str]) -> None:
    """Every arrival has just what follows from it, and nothing else is there."""
    until(lambda: reacted(system, arrived), "every arrival was reacted to")
    reminders = [
        f"reminder-{kind}-{about}" for p in arrived for kind, about in (("REPORT_DUE", f"{p}-1"), ("BASELINE_DUE", p))
    ]
    chain = {
        "reporting": [(f"report-{p}-1", "report.scheduled") for p in arrived],
        "assessment": [(f"baseline-{p}", "baseline.opened") for p in arrived],
        "notify": [(one, name) for one in reminders for name in ("reminder.recorded", "reminder.delivered")],
    }
    for service, events in chain.items():
        assert sorted((stream, name) for _, stream, name in system.ledger(service)) == sorted(events), service


def nobody(system: System, *persons: str) -> None:
    """These persons are erased: no key, the event, no name in the read model."""
    for one in persons:
        wrapped = system.rows("registry", "SELECT wrapped FROM keyring WHERE stream = $1", f"person-{one}")
        assert [row["wrapped"] for row in wrapped] == [None], one
        names = [name for _, stream, name in system.ledger("registry") if stream == f"person-{one}"]
        assert names.count("person.erased") == 1, one


def nameless(system: System, *persons: str) -> None:
    """Readers see no name of theirs."""
    for one in persons:
        until(partial(system.rows, "projection", GONE, one), f"{one} has no name in the read model")


def test_restored_on_an_empty_machine_nothing_is_lost_doubled_or_brought_back(infra: Infra, tmp_path: Path) -> None:
    prefix, other_prefix = f"t{secrets.token_hex(3)}.", f"t{secrets.token_hex(3)}."
    backups, keys, later = tmp_path / "backups", tmp_path / "keys", tmp_path / "later"
    try:
        with receiver() as (webhook, sent):
            with another(infra, tmp_path / "old", None, prefix, webhook) as old:
                office = taken_under_load(old, backups, keys, later)
            kept = next(backups.iterdir())
            with another(infra, tmp_path / "new", old, prefix, webhook) as new:
                delivered = beside_the_old_log(new, office, kept, keys)
            times = Counter(sent)
            assert delivered and {key: times[key] for key in delivered} == dict.fromkeys(delivered, 1), "sent once"
            assert max(times.values()) <= 2, "and what was delivered after the backup once more, under its key"
            # Once more, with an empty broker: now only the later backup knows of the later erasure.
            shutil.copytree(kept, later / kept.name)
            with another(infra, tmp_path / "newer", old, other_prefix, webhook) as newer:
                done = newer.command("restore", str(later / kept.name), "--keys", str(keys))
                assert done.exit_code == 0, done.output
                assert "The broker holds nothing from after the backup" in done.output
                nobody(newer, "R-BEFORE", "R-AFTER")
    finally:
        delete_topics(infra.kafka, prefix)
        delete_topics(infra.kafka, other_prefix)


def taken_under_load(old: System, backups: Path, keys: Path, later: Path) -> Office:
    old.prepare()
    old.start()
    old.until_ready()
    with old.client() as http, ThreadPoolExecutor(LANES) as pool:
        office = Office(http)
        first = [unit("BUREAU", "DISTRICT_DEPARTMENT"), unit("TOWN", "TOWN"), unit("VILLAGE", parent="TOWN")]
        for one in (*first, person("R-BEFORE"), person("R-AFTER")):
            office.give(one)
        assert erase(http, "R-BEFORE").status_code == 200
        working = [pool.submit(office.work, lane) for lane in range(LANES)]
        try:
            until(lambda: len(office.answered) > 60, "work is under way")
            until(lambda: any(name == "reminder.delivered" for *_, name in old.ledger("notify")), "some is delivered")
            acknowledged = office.answered[-1][2]
            taken = old.command("backup", str(backups), "--keys", str(keys))
            assert taken.exit_code == 0, taken.output
            more = len(office.answered)
            until(lambda: len(office.answered) > more + 30, "work goes on")
        finally:
            office.stop.set()
        for lane in working:
            lane.result()
        assert erase(http, "R-AFTER").status_code == 200
        until(lambda: old.rows("projection", GONE, "R-AFTER"), "readers know of the erasure")
        once_each(old, office.arrived(10**9))
    assert old.command("backup", str(later), "--keys", str(keys)).exit_code == 0
    (kept,) = backups.iterdir()
    stood = folders.read(kept, signing_key(old.folder / "backup-key").public_key()).of("registry").position
    assert acknowledged <= stood < office.answered[-1][2], "what was acknowledged before is in it; work went on"
    (seen,) = newest_backup(old.settings.model_copy(update={"backups": later}))
    assert seen.state is State.OK and "0 小时前" in seen.says
    for role in list(old.running):
        old.kill(role)
    return office


def erase(http: httpx.Client, number: str) -> httpx.Response:
    return http.post(f"/api/registry/persons/{number}/erase", json={"ground": "本人申请"}, headers=new_key())


def beside_the_old_log(new: System, office: Office, kept: Path, keys: Path) -> list[str]:
    """The restored system works on where the backup was; the reminders that the backup knows as delivered."""
    checked = new.command("backup", "--check", str(kept))
    assert checked.exit_code == 0, checked.output
    done = new.command("restore", str(kept), "--keys", str(keys))
    assert done.exit_code == 0, done.output
    assert "are lost" in done.output and "erased again: 1" in done.output
    refused = new.command("restore", str(kept), "--keys", str(keys))
    assert "is not empty" in str(refused.exception)

    head = len(new.ledger("registry")) - 1  # the erasure that was recorded again
    known = [stream.removeprefix("reminder-") for _, stream, n in new.ledger("notify") if n == "reminder.delivered"]
    new.start()
    new.until_ready()
    once_each(new, office.arrived(head))
    nobody(new, "R-BEFORE", "R-AFTER")
    nameless(new, "R-BEFORE", "R-AFTER")
    with new.client() as http:
        # Every acknowledged command is sent again under its key: what is there answers as it did, the rest is recorded.
        for command, key, position in office.answered:
            answer = give(http, command, key)
            assert answer.status_code in (200, 201), answer.text
            assert (answer.json()["position"] == position) or position > head
        last = records(http, person("R-NEW"), propose("P-NEW", "R-NEW", "VILLAGE"))
        shown = roster(http, last)
    arrived = office.arrived(10**9)
    assert sorted(p for p, item in shown.items() if item["arrived_on"]) == arrived
    once_each(new, arrived)
    new.audited()
    verified = new.command("verify-chain")
    assert verified.exit_code == 0, verified.output
    assert "nothing is parked" in new.command("dead-letters", "list").stdout
    return known
