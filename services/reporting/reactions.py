"""到岗引出汇报: a cadre arrived (registry), so the first report is scheduled.

An arrival may also be said by a correction (``arrived_on`` was missing or wrong in the first place). It counts while the
posting runs; where a report is scheduled already, nothing follows. A correction that takes the arrival back, a changed
host and an early end leave the scheduled report as it stands: the contracts have no event yet that withdraws or moves a
report.
"""

from xiapai_contracts.registry import POSTINGS, CadreArrived, PostingCorrected

from chassis.clock import Clock
from chassis.dated import Dated
from chassis.reaction import Order, reaction
from ledger.command import Desk
from ledger.deliver import Handler
from services.reporting.report import REPORT, ScheduleFirst, report_id, stream_of
from services.reporting.rules import ReportRule

NAME = "reporting-first-report"


def first_report(event: object, rules: Dated[ReportRule]) -> Order[ScheduleFirst] | None:
    """What follows from an event of a posting."""
    match event:
        case CadreArrived():
            arrived = event.on
        case PostingCorrected(arrived_on=day, ended_on=None) if day is not None:
            arrived = day
        case _:
            return None
    rule = rules.on(arrived)
    command = ScheduleFirst(
        posting=event.posting,
        person=event.person,
        sender=event.sender,
        host=event.host,
        arrived=arrived,
        ends=event.ends,
        every_months=rule.every_months,
        due_days=rule.due_days,
        category=event.category,
    )
    return Order(stream_of(report_id(event.posting, 1)), command)


def arrivals(desk: Desk, clock: Clock, rules: Dated[ReportRule]) -> Handler:
    """Schedules the first report of whoever arrived."""
    return reaction(
        NAME, (POSTINGS,), desk=desk, clock=clock, decider=REPORT, react=lambda event: first_report(event, rules)
    )
