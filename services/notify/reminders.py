"""哪些提醒待发、已送达、未送达: the reminders, and whom they concern. Fed by notify's own topic, and by those of reports
and baselines for the two units.
"""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.assessment import BASELINES, AbilityBaselineOpened
from xiapai_contracts.notify import REMINDERS, ReminderDelivered, ReminderFailed, ReminderRecorded, Subject
from xiapai_contracts.reporting import REPORTS, ReportScheduled

from chassis.listing import Listing
from ledger.deliver import Delivered, Handler
from services.notify.tables import parties, reminders

_SHOWN = [column for column in reminders.c if column.name not in ("next_at", "trace")]

LISTED = Listing(
    "reminders",
    select(*_SHOWN, parties.c.sender, parties.c.host)
    .join(parties, and_(parties.c.subject == reminders.c.subject, parties.c.about == reminders.c.about))
    .subquery("listed"),
    key="reminder",
)
"""Reminders with the two units they concern; one whose units are not known yet is not shown to anybody."""

_record = insert(reminders).on_conflict_do_nothing()
_settle = (
    update(reminders)
    .where(reminders.c.reminder == bindparam("settled"))
    .values(
        status=bindparam("status"),
        attempts=bindparam("attempts"),
        delivered_at=bindparam("delivered_at"),
        reason=bindparam("reason"),
    )
)
_concern = insert(parties).on_conflict_do_nothing()


async def settle(connection: AsyncConnection, events: Sequence[ReminderDelivered | ReminderFailed]) -> None:
    """Nothing is to be sent any more for these reminders. In the order of their names, so that two writers of several
    rows never wait for each other."""
    rows = [
        {
            "settled": event.reminder,
            "status": "DELIVERED" if isinstance(event, ReminderDelivered) else "FAILED",
            "attempts": event.attempts,
            "delivered_at": event.delivered_at if isinstance(event, ReminderDelivered) else None,
            "reason": None if isinstance(event, ReminderDelivered) else event.reason,
        }
        for event in sorted(events, key=lambda event: event.reminder)
    ]
    if rows:
        await connection.execute(_settle, rows)


async def project_reminders(connection: AsyncConnection, events: Sequence[Delivered]) -> None:
    """Write what was recorded, then what became of it. A row that is there already stays: nothing is sent anew because
    a record came again."""
    recorded = [
        {
            "reminder": event.reminder,
            "person": event.person,
            "posting": event.posting,
            "subject": event.subject,
            "about": event.about,
            "due": event.due,
            "status": "TO_SEND",
            "trace": delivered.meta.traceparent,
        }
        for delivered in events
        if isinstance(event := delivered.event, ReminderRecorded)
    ]
    if recorded:
        await connection.execute(_record, recorded)
    ends = (delivered.event for delivered in events)
    await settle(connection, [event for event in ends if isinstance(event, ReminderDelivered | ReminderFailed)])


async def project_parties(connection: AsyncConnection, events: Sequence[Delivered]) -> None:
    """Remember the two units of each report and baseline."""
    rows = []
    for delivered in events:
        match delivered.event:
            case ReportScheduled() as event:
                subject, about = Subject.REPORT_DUE, event.report
            case AbilityBaselineOpened() as event:
                subject, about = Subject.BASELINE_DUE, event.baseline
            case _:
                continue
        rows.append({"subject": subject.value, "about": about, "sender": event.sender, "host": event.host})
    if rows:
        await connection.execute(_concern, rows)


PROJECTION = Handler("notify-reminders", (REMINDERS,), project_reminders)
PARTIES = Handler("notify-parties", (REPORTS, BASELINES), project_parties)
