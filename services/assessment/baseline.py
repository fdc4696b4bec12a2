"""能力基线: the ability at arrival, against which every later assessment compares (R28)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from xiapai_contracts.assessment import AbilityBaselineOpened
from xiapai_contracts.terms import Category

from ledger.decider import Decider


@dataclass(frozen=True, slots=True)
class Unopened:
    """Nobody was asked yet."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Host and cadre are asked to record it by ``due``."""

    baseline: str
    due: date


Baseline = Unopened | Opened


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBaseline:
    """The cadre arrived on ``arrived``: the baseline is to be opened, and recorded within ``due_days`` days."""

    posting: str
    person: str
    sender: str
    host: str
    arrived: date
    due_days: int
    category: Category


def stream_of(baseline: str) -> str:
    """The stream of a baseline, which is called as its posting: a posting has one."""
    return f"baseline-{baseline}"


def decide(command: OpenBaseline, baseline: Baseline) -> Sequence[AbilityBaselineOpened]:
    match baseline:
        case Unopened():
            return [
                AbilityBaselineOpened(
                    baseline=command.posting,
                    posting=command.posting,
                    person=command.person,
                    sender=command.sender,
                    host=command.host,
                    opened_on=command.arrived,
                    due=command.arrived + timedelta(days=command.due_days),
                    category=command.category,
                )
            ]
        case Opened():
            return []


def evolve(baseline: Baseline, event: AbilityBaselineOpened) -> Baseline:
    return Opened(event.baseline, event.due)


BASELINE: Decider[OpenBaseline, Baseline, AbilityBaselineOpened] = Decider(Unopened(), decide, evolve)
