"""What `xiapai doctor` says of one thing."""

from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """How bad it is; the worst of all is the exit code."""

    OK = 0
    WARNING = 1
    PROBLEM = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """``check`` names what was looked at; ``says`` what was found and ``next`` what to do, Chinese first; where all is
    well, ``next`` is empty."""

    check: str
    state: State
    says: str
    next: str = ""


def ok(check: str, says: str) -> Finding:
    return Finding(check, State.OK, says)


def warning(check: str, says: str, next: str) -> Finding:
    return Finding(check, State.WARNING, says, next)


def problem(check: str, says: str, next: str) -> Finding:
    return Finding(check, State.PROBLEM, says, next)
