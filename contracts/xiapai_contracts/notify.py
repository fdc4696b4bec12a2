"""What notify makes known: reminders and their delivery (提醒)."""

from datetime import date

from xiapai_contracts.event import Moment, added, event
from xiapai_contracts.terms import Category
from xiapai_contracts.terms import Subject as Subject
from xiapai_contracts.topic import Topic


@event("reminder.recorded", version=2, upcasts={1: added("category", None)})
class ReminderRecorded:
    """提醒待发: a reminder is to be sent. ``person`` is to be reminded of ``subject`` by ``due``; recorded before anything is sent.

    ``subject`` is a code of a list that will grow (today those of :class:`Subject`); ``about`` is the identifier of what it concerns (a report, a baseline).
    ``category`` is that of the posting; None where version 1 said it."""

    reminder: str
    person: str
    posting: str
    subject: str
    about: str
    due: date
    category: Category | None = None


@event("reminder.delivered")
class ReminderDelivered:
    """提醒送达: sent over ``channel`` at ``delivered_at``, after ``attempts`` attempts."""

    reminder: str
    channel: str
    delivered_at: Moment
    attempts: int


@event("reminder.failed")
class ReminderFailed:
    """提醒未送达: given up after ``attempts`` attempts; ``reason`` is a short code."""

    reminder: str
    channel: str
    attempts: int
    reason: str


@event("reminder.lapsed")
class ReminderLapsed:
    """提醒过期不发: it will not be sent, because it would come too late. ``reason`` is a short code of a list that may grow
    (`past-due`: its due day lay longer ago than the rule allows)."""

    reminder: str
    reason: str


REMINDERS = Topic(
    name="notify.reminders",
    owner="notify",
    partitions=6,
    events=(ReminderRecorded, ReminderDelivered, ReminderFailed, ReminderLapsed),
    about="提醒 reminders",
)
HEADS = Topic(
    name="notify.heads",
    owner="notify",
    partitions=1,
    retention_hours=24,
    about="进度 how far notify's ledger has been published",
)
TOPICS = (REMINDERS, HEADS)
