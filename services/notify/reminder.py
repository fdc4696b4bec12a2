"""提醒: recorded as to be sent before anything is sent, then delivered once, or given up, or lapsed unsent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from xiapai_contracts.notify import ReminderDelivered, ReminderFailed, ReminderLapsed, ReminderRecorded, Subject
from xiapai_contracts.terms import Category

from ledger.decider import Decider, Refused


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """There is nothing to remind of."""


@dataclass(frozen=True, slots=True)
class ToSend:
    """待发."""

    reminder: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """已送达."""

    reminder: str


@dataclass(frozen=True, slots=True)
class Failed:
    """未送达: given up."""

    reminder: str


@dataclass(frozen=True, slots=True)
class Lapsed:
    """过期不发: it would come too late."""

    reminder: str


Reminder = Unrecorded | ToSend | Delivered | Failed | Lapsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    """``person`` is to be reminded of ``subject`` by ``due``; ``about`` is the report or the baseline."""

    person: str
    posting: str
    subject: Subject
    about: str
    due: date
    category: Category | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteDelivered:
    """The receiver has taken it."""

    channel: str
    delivered_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The receiver has not taken it, and will not be asked again. ``reason`` is a short code, such as `http-500`."""

    channel: str
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetLapse:
    """It is not to be sent any more. ``reason`` is a short code, such as `past-due`."""

    reason: str


Command = Remind | NoteDelivered | GiveUp | LetLapse
ReminderEvent = ReminderRecorded | ReminderDelivered | ReminderFailed | ReminderLapsed


def reminder_id(subject: Subject, about: str) -> str:
    """`REPORT_DUE-P7-1`: of one report or baseline there is one reminder."""
    return f"{subject.value}-{about}"


def stream_of(reminder: str) -> str:
    return f"reminder-{reminder}"


def decide(command: Command, reminder: Reminder) -> Sequence[ReminderEvent]:
    """Refused: `reminder-unknown`."""
    match command, reminder:
        case Remind(), Unrecorded():
            return [
                ReminderRecorded(
                    reminder=reminder_id(command.subject, command.about),
                    person=command.person,
                    posting=command.posting,
                    subject=command.subject,
                    about=command.about,
                    due=command.due,
                    category=command.category,
                )
            ]
        case NoteDelivered(), ToSend(known) | Lapsed(known):  # sent before it lapsed, and known only now
            return [
                ReminderDelivered(
                    reminder=known,
                    channel=command.channel,
                    delivered_at=command.delivered_at,
                    attempts=command.attempts,
                )
            ]
        case GiveUp(), ToSend(known):
            return [
                ReminderFailed(
                    reminder=known, channel=command.channel, attempts=command.attempts, reason=command.reason
                )
            ]
        case LetLapse(), ToSend(known):
            return [ReminderLapsed(reminder=known, reason=command.reason)]
        case ((NoteDelivered() | GiveUp() | LetLapse()), Unrecorded()):
            raise Refused("reminder-unknown")
        case _:
            return []


def evolve(reminder: Reminder, event: ReminderEvent) -> Reminder:
    match event:
        case ReminderRecorded():
            return ToSend(event.reminder)
        case ReminderDelivered():
            return Delivered(event.reminder)
        case ReminderFailed():
            return Failed(event.reminder)
        case ReminderLapsed():
            return Lapsed(event.reminder)


REMINDER: Decider[Command, Reminder, ReminderEvent] = Decider(Unrecorded(), decide, evolve)
