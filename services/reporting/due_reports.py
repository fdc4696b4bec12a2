"""哪些汇报到期: which reports are owed, by whom and by when. Fed by reporting's own topic."""

from collections.abc import Sequence

from sqlalchemy import Column, Date, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.reporting import REPORTS, ReportScheduled

from chassis.listing import Listing
from ledger.deliver import Delivered, Handler

metadata = MetaData()

due_reports = Table(
    "due_reports",
    metadata,
    Column("report", Text, primary_key=True),
    Column("posting", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("period_starts", Date, nullable=False),
    Column("period_ends", Date, nullable=False),
    Column("due", Date, nullable=False),
    Column("status", Text, nullable=False),
    Column("category", Text),
)

DUE_REPORTS = Listing("reports", due_reports, key="report")


async def project(connection: AsyncConnection, events: Sequence[Delivered]) -> None:
    """Write the rows of a batch. A report is scheduled once, so a row that is there already stays."""
    rows = [
        {
            "report": event.report,
            "posting": event.posting,
            "person": event.person,
            "sender": event.sender,
            "host": event.host,
            "number": event.number,
            "period_starts": event.period_starts,
            "period_ends": event.period_ends,
            "due": event.due,
            "status": "SCHEDULED",
            "category": event.category,
        }
        for event in (delivered.event for delivered in events)
        if isinstance(event, ReportScheduled)
    ]
    if rows:
        await connection.execute(insert(due_reports).on_conflict_do_nothing(), rows)


PROJECTION = Handler("reporting-due-reports", (REPORTS,), project)
