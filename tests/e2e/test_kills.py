"""随时断电: the API, the relay and the worker are killed again and again while commands are given."""

import random
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Lock
from time import sleep
from typing import Any

import httpx

from tests.e2e.system import ROLES, System, give, new_key, roster, until
from tests.e2e.words import Command, approve, arrive, end_early, extend, person, propose, unit

SEED = 20260701
COMMANDS = 200
LANES = 4
KILLS_OF_EACH = 3


def course(draw: random.Random, lane: int) -> list[Command]:
    """What one clerk does, in order: villages, cadres, and postings that come to different points."""
    villages = [f"V{lane}-{n}" for n in range(4)]
    todo = [unit(village, parent="TOWN") for village in villages]
    number = 0
    while len(todo) < (COMMANDS - 2) // LANES + 2:
        number += 1
        cadre, posting = f"R{lane}-{number}", f"P{lane}-{number}"
        steps = [person(cadre), propose(posting, cadre, draw.choice(villages)), approve(posting), arrive(posting)]
        steps = steps[: draw.choice((2, 3, 4, 4, 4, 4))]
        if len(steps) == 4:
            steps += draw.choice(([], [extend(posting)], [end_early(posting)], [extend(posting), end_early(posting)]))
        todo += steps
    return todo


@dataclass
class Clerks:
    """Those who give the commands, and what they were answered."""

    http: httpx.Client
    answered: list[tuple[Command, dict[str, Any]]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    told_to_stop: Event = field(default_factory=Event)
    repeated: int = 0

    def insist(self, command: Command) -> None:
        """Give a command again and again under one key until it is answered."""
        key = new_key()
        while not self.told_to_stop.is_set():
            try:
                answer = give(self.http, command, key)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code in (200, 201):
                with self.lock:
                    self.answered.append((command, answer.json()))
                return
            assert answer is None or answer.status_code == 503, answer.text
            self.repeated += 1
            sleep(0.05)

    def came_to(self, count: int, working: list[Future[None]]) -> bool:
        """So many are answered; or somebody has given up, which is seen later."""
        return len(self.answered) >= count or any(one.done() and one.exception() for one in working)

    def work(self, commands: list[Command]) -> None:
        for command in commands:
            self.insist(command)


def recorded(system: System, service: str, count: int) -> bool:
    return len(system.ledger(service)) >= count


def folded(answered: list[tuple[Command, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The roster that the answered commands make, in the order of their positions."""
    found: dict[str, dict[str, Any]] = {}
    for command, _ in sorted(answered, key=lambda one: one[1]["position"]):
        if command.posting:
            found.setdefault(command.posting, {}).update(command.sets)
    return found


def test_whatever_is_killed_no_acknowledged_command_is_lost_and_none_has_two_effects(whole: System) -> None:
    draw = random.Random(SEED)
    first = [unit("BUREAU", "DISTRICT_DEPARTMENT"), unit("TOWN", "TOWN")]
    lanes = [course(draw, lane) for lane in range(LANES)]
    commands = [*first, *(command for lane in lanes for command in lane)]
    assert len(commands) >= COMMANDS
    victims = [role for role in ROLES for _ in range(KILLS_OF_EACH)]
    draw.shuffle(victims)
    moments = sorted(draw.sample(range(5, len(commands) - 10), len(victims)))

    whole.start()
    whole.until_ready()
    with whole.client() as http, ThreadPoolExecutor(LANES) as pool:
        clerks = Clerks(http)
        clerks.work(first)
        working = [pool.submit(clerks.work, lane) for lane in lanes]
        try:
            for moment, victim in zip(moments, victims, strict=True):
                until(partial(clerks.came_to, moment, working), f"{moment} commands are answered")
                sleep(draw.uniform(0, 0.1))
                whole.kill(victim)
                whole.start(victim)
            for one in working:
                one.result()
        finally:
            clerks.told_to_stop.set()

        assert len(clerks.answered) == len(commands)
        assert clerks.repeated, "a kill was met by a command"
        last = max(answer["position"] for _, answer in clerks.answered)
        whole.until_ready()
        shown = roster(http, last)

    ledger = whole.ledger("registry")
    expected = Counter((command.stream, name) for command in commands for name in command.names)
    assert Counter((stream, name) for _, stream, name in ledger) == expected, "each command took effect once"
    assert [position for position, _, _ in ledger] == list(range(1, len(ledger) + 1))
    at = {position: (stream, name) for position, stream, name in ledger}
    for command, answer in clerks.answered:
        assert at[answer["position"]] == (command.stream, command.names[-1]), "the answer says where it stands"

    fold = folded(clerks.answered)
    assert {code: {name: item[name] for name in fold[code]} for code, item in shown.items()} == fold

    arrived = sorted(command.posting for command in commands if command.names == ("posting.arrived",))
    reminders = sorted(
        [f"reminder-REPORT_DUE-{p}-1" for p in arrived] + [f"reminder-BASELINE_DUE-{p}" for p in arrived]
    )
    chain = {
        "reporting": [(f"report-{p}-1", "report.scheduled") for p in arrived],
        "assessment": [(f"baseline-{p}", "baseline.opened") for p in arrived],
        # who arrived in January is not reminded in July any more
        "notify": [(stream, f"reminder.{end}") for stream in reminders for end in ("recorded", "lapsed")],
    }
    for service, events in chain.items():
        until(partial(recorded, whole, service, len(events)), f"{service} reacted")
        assert sorted((stream, name) for _, stream, name in whole.ledger(service)) == sorted(events)

    whole.audited()
    verified = whole.command("verify-chain")
    assert verified.exit_code == 0, verified.output
    assert "nothing is parked" in whole.command("dead-letters", "list").stdout
