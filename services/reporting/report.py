"""三方汇报: one periodic report of a posted cadre to the sending unit, the host and the organization department (R17)."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from xiapai_contracts.reporting import ReportScheduled
from xiapai_contracts.terms import Category

from ledger.decider import Decider


@dataclass(frozen=True, slots=True)
class Unscheduled:
    """Nothing is owed yet."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The report is owed by ``due``."""

    report: str
    due: date


Report = Unscheduled | Scheduled


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFirst:
    """The cadre arrived on ``arrived`` for a term until ``ends``: the first report is to be scheduled.

    It covers ``every_months`` calendar months, the month of arrival being the first, and is due ``due_days`` days after.
    """

    posting: str
    person: str
    sender: str
    host: str
    arrived: date
    ends: date
    every_months: int
    due_days: int
    category: Category


def report_id(posting: str, number: int) -> str:
    """`P7-1`, the first report of the posting P7."""
    return f"{posting}-{number}"


def stream_of(report: str) -> str:
    return f"report-{report}"


def decide(command: ScheduleFirst, report: Report) -> Sequence[ReportScheduled]:
    match report:
        case Unscheduled():
            period_ends = _period_ends(command)
            return [
                ReportScheduled(
                    report=report_id(command.posting, 1),
                    posting=command.posting,
                    person=command.person,
                    sender=command.sender,
                    host=command.host,
                    number=1,
                    period_starts=command.arrived,
                    period_ends=period_ends,
                    due=period_ends + timedelta(days=command.due_days),
                    category=command.category,
                )
            ]
        case Scheduled():
            return []


def _period_ends(command: ScheduleFirst) -> date:
    """The last day of the period: a month's last, or earlier where the term ends earlier, and never before arrival."""
    months = command.arrived.year * 12 + command.arrived.month - 1 + command.every_months - 1
    year, month = divmod(months, 12)
    whole = date(year, month + 1, monthrange(year, month + 1)[1])
    return max(min(whole, command.ends), command.arrived)


def evolve(report: Report, event: ReportScheduled) -> Report:
    return Scheduled(event.report, event.due)


REPORT: Decider[ScheduleFirst, Report, ReportScheduled] = Decider(Unscheduled(), decide, evolve)
