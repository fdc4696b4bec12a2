"""到岗引出能力基线: a cadre arrived (registry), so the ability baseline is opened.

An arrival may also be said by a correction (``arrived_on`` was missing or wrong in the first place). It counts while the
posting runs; where a baseline is open already, nothing follows. A correction that takes the arrival back, a changed host
and an early end leave the baseline as it stands: the contracts have no event yet that withdraws or moves it.
"""

from xiapai_contracts.registry import POSTINGS, CadreArrived, PostingCorrected

from chassis.clock import Clock
from chassis.dated import Dated
from chassis.reaction import Order, reaction
from ledger.command import Desk
from ledger.deliver import Handler
from services.assessment.baseline import BASELINE, OpenBaseline, stream_of
from services.assessment.rules import BaselineRule

NAME = "assessment-ability-baseline"


def ability_baseline(event: object, rules: Dated[BaselineRule]) -> Order[OpenBaseline] | None:
    """What follows from an event of a posting."""
    match event:
        case CadreArrived():
            arrived = event.on
        case PostingCorrected(arrived_on=day, ended_on=None) if day is not None:
            arrived = day
        case _:
            return None
    command = OpenBaseline(
        posting=event.posting,
        person=event.person,
        sender=event.sender,
        host=event.host,
        arrived=arrived,
        due_days=rules.on(arrived).due_days,
        category=event.category,
    )
    return Order(stream_of(event.posting), command)


def arrivals(desk: Desk, clock: Clock, rules: Dated[BaselineRule]) -> Handler:
    """Opens the baseline of whoever arrived."""
    return reaction(
        NAME, (POSTINGS,), desk=desk, clock=clock, decider=BASELINE, react=lambda event: ability_baseline(event, rules)
    )
