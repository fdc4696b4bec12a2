"""What is asked of an installation: test data of division 990117 whose codes begin alike, so that it can be told apart."""

import random
import secrets

from command.chaos.words import DIVISION, Command, approve, arrive, end_early, extend, person, propose, unit

DAY = "2026-07-01"
"""The day by which the roster is asked: all that is given here lies before it, or long after."""


def name_of_run() -> str:
    """What every code of a run begins with, `990117-C3F8A2`: new each time, since a ledger forgets none."""
    return f"{DIVISION}-C{secrets.token_hex(3).upper()}"


def bureau(run: str) -> str:
    """The unit that sends all cadres of a run."""
    return f"{run}-BUREAU"


def first(run: str) -> list[Command]:
    """What all lanes build on."""
    return [unit(bureau(run), "DISTRICT_DEPARTMENT"), unit(f"{run}-TOWN", "TOWN")]


def lane(draw: random.Random, run: str, number: int, commands: int) -> list[Command]:
    """At least so many commands of one clerk, each to follow the one before: villages, cadres, and postings that come to
    different points."""
    villages = [f"{run}-V{number}-{n}" for n in range(4)]
    todo = [unit(village, parent=f"{run}-TOWN") for village in villages]
    cadres = 0
    while len(todo) < commands:
        cadres += 1
        cadre, posting, host = f"{run}-R{number}-{cadres}", f"{run}-P{number}-{cadres}", draw.choice(villages)
        steps = [person(cadre, bureau(run)), propose(posting, cadre, host, bureau(run))]
        steps += [approve(posting), arrive(posting)][: draw.choice((0, 1, 2, 2, 2, 2))]
        if len(steps) == 4:
            steps += draw.choice(([], [extend(posting)], [end_early(posting)], [extend(posting), end_early(posting)]))
        todo += steps
    return todo
