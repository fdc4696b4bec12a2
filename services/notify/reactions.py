"""排定引出提醒: a report was scheduled (reporting) or a baseline opened (assessment), so a reminder is to be sent.

This records and sends nothing: the sender (:mod:`services.notify.sender`) takes it from there. A posting that ends early
leaves its reminders as they stand: the contracts have no event yet that withdraws what they remind of.
"""

from xiapai_contracts.assessment import BASELINES, AbilityBaselineOpened
from xiapai_contracts.notify import Subject
from xiapai_contracts.reporting import REPORTS, ReportScheduled

from chassis.clock import Clock
from chassis.reaction import Order, reaction
from ledger.command import Desk
from ledger.deliver import Handler
from services.notify.reminder import REMINDER, Command, Remind, reminder_id, stream_of

NAME = "notify-due-reminder"


def due_reminder(event: object) -> Order[Command] | None:
    """What follows from an event of a report or a baseline."""
    match event:
        case ReportScheduled():
            subject, about = Subject.REPORT_DUE, event.report
        case AbilityBaselineOpened():
            subject, about = Subject.BASELINE_DUE, event.baseline
        case _:
            return None
    command = Remind(
        person=event.person,
        posting=event.posting,
        subject=subject,
        about=about,
        due=event.due,
        category=event.category,
    )
    return Order(stream_of(reminder_id(subject, about)), command)


def deadlines(desk: Desk, clock: Clock) -> Handler:
    """Records a reminder of whatever falls due."""
    return reaction(NAME, (REPORTS, BASELINES), desk=desk, clock=clock, decider=REMINDER, react=due_reminder)
