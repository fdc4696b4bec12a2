"""哪些提醒待发、已送达、未送达、过期不发: the reminders, and whom they concern. Fed by notify's own topic, and by those of reports
and baselines for the two units.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.assessment import BASELINES, AbilityBaselineOpened
from xiapai_contracts.notify import (
    REMINDERS,
    ReminderDelivered,
    ReminderFailed,
    ReminderLapsed,
    ReminderRecorded,
    Subject,
)
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
        attempts=func.coalesce(bindparam("attempts"), reminders.c.attempts),
        delivered_at=bindparam("delivered_at"),
        reason=bindparam("reason"),
    )
)
_concern = insert(parties).on_conflict_do_nothing()


async def settle(connection: AsyncConnection, events: Iterable[object]) -> None:
    """Nothing is to be sent any more for the reminders whose ends are among ``events``. In the order of their names, so
    that two writers of several rows never wait for each other."""
    rows = [row for event in events if (row := _end(event)) is not None]
    if rows:
        await connection.execute(_settle, sorted(rows, key=lambda row: str(row["settled"])))


def _end(event: object) -> dict[str, Any] | None:
    """The row of an end, None for any other event. What lapsed keeps the attempts that were made."""
    match event:
        case ReminderDelivered():
            said = {
                "status": "DELIVERED",
                "attempts": event.attempts,
                "delivered_at": event.delivered_at,
                "reason": None,
            }
        case ReminderFailed():
            said = {"status": "FAILED", "attempts": event.attempts, "delivered_at": None, "reason": event.reason}
        case ReminderLapsed():
            said = {"status": "LAPSED", "attempts": None, "delivered_at": None, "reason": event.reason}
        case _:
            return None
    return said | {"settled": event.reminder}


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
            "trace": delivered.traceparent,
            "category": event.category,
        }
        for delivered in events
        if isinstance(event := delivered.event, ReminderRecorded)
    ]
    if recorded:
        await connection.execute(_record, recorded)
    await settle(connection, [delivered.event for delivered in events])


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
