"""A reminder is to be sent, then delivered or given up, and then at rest."""

from datetime import UTC, date, datetime

from xiapai_contracts.notify import ReminderDelivered, ReminderFailed, ReminderLapsed, ReminderRecorded, Subject
from xiapai_contracts.terms import Category

from services.notify.reminder import REMINDER, GiveUp, LetLapse, NoteDelivered, Remind
from tests.support.given import given

AT = datetime(2026, 7, 1, 1, tzinfo=UTC)
remind = Remind(
    person="R1",
    posting="P1",
    subject=Subject.REPORT_DUE,
    about="P1-1",
    due=date(2026, 6, 10),
    category=Category.RURAL_GUIDE,
)
taken = NoteDelivered(channel="webhook", delivered_at=AT, attempts=2)
give_up = GiveUp(channel="webhook", attempts=8, reason="http-500")
lapse = LetLapse(reason="past-due")
recorded = ReminderRecorded(
    reminder="REPORT_DUE-P1-1",
    person="R1",
    posting="P1",
    subject=Subject.REPORT_DUE,
    about="P1-1",
    due=date(2026, 6, 10),
    category=Category.RURAL_GUIDE,
)
delivered = ReminderDelivered(reminder="REPORT_DUE-P1-1", channel="webhook", delivered_at=AT, attempts=2)
failed = ReminderFailed(reminder="REPORT_DUE-P1-1", channel="webhook", attempts=8, reason="http-500")
lapsed = ReminderLapsed(reminder="REPORT_DUE-P1-1", reason="past-due")


def test_a_reminder_is_recorded_before_it_is_sent() -> None:
    given(REMINDER).when(remind).then(recorded)


def test_of_one_report_there_is_one_reminder_whatever_became_of_it() -> None:
    for history in ([recorded], [recorded, delivered], [recorded, failed], [recorded, lapsed]):
        given(REMINDER, *history).when(remind).nothing()


def test_what_was_to_be_sent_is_delivered_or_given_up_or_lapses() -> None:
    given(REMINDER, recorded).when(lapse).then(lapsed)
    given(REMINDER, recorded).when(taken).then(delivered)
    given(REMINDER, recorded).when(give_up).then(failed)


def test_what_is_settled_stays_so() -> None:
    given(REMINDER, recorded, delivered).when(taken).nothing()
    given(REMINDER, recorded, failed).when(taken).nothing()
    for end in (delivered, failed, lapsed):
        given(REMINDER, recorded, end).when(give_up).nothing()
        given(REMINDER, recorded, end).when(lapse).nothing()


def test_what_was_on_its_way_when_it_lapsed_was_delivered_after_all() -> None:
    given(REMINDER, recorded, lapsed).when(taken).then(delivered)


def test_nothing_can_be_delivered_that_was_never_recorded() -> None:
    given(REMINDER).when(taken).refused("reminder-unknown")
    given(REMINDER).when(give_up).refused("reminder-unknown")
    given(REMINDER).when(lapse).refused("reminder-unknown")
