"""What falls due leads to a reminder, once, and whoever may see it finds it."""

import msgspec
import pytest
from sqlalchemy import select
from xiapai_contracts.notify import REMINDERS, ReminderDelivered, ReminderRecorded, Subject
from xiapai_contracts.terms import Category

from chassis.catalogue import mistakes
from chassis.identity.principal import Role
from services.notify.tables import reminders
from services.notify.texts import TEXTS
from tests.services.chain import arrival, opened, scheduled
from tests.support.bench import Bench, api, codes, delivered

REACTION, PROJECTION, PARTIES = "notify-due-reminder", "notify-reminders", "notify-parties"
BOTH = (scheduled(), opened())


def test_the_texts_are_whole() -> None:
    assert mistakes(TEXTS) == []


async def test_a_report_and_a_baseline_are_reminded_of_once_each(notify: Bench) -> None:
    await notify.deliver(REACTION, *BOTH, *BOTH)
    await notify.deliver(REACTION, *BOTH, scheduled(position=2))
    events = sorted(await notify.events(), key=lambda event: event.reminder)
    assert [(event.reminder, event.subject, event.about, event.due) for event in events] == [
        ("BASELINE_DUE-P1", Subject.BASELINE_DUE, "P1", opened().event.due),
        ("REPORT_DUE-P1-1", Subject.REPORT_DUE, "P1-1", scheduled().event.due),
    ]
    assert {one.stream for one in await notify.ledger()} == {"reminder-BASELINE_DUE-P1", "reminder-REPORT_DUE-P1-1"}


async def test_what_is_of_no_concern_is_passed_over(notify: Bench) -> None:
    await notify.deliver(REACTION, arrival())
    await notify.deliver(PARTIES, arrival())
    assert await notify.ledger() == []


async def test_without_a_webhook_nothing_is_sent_and_reminders_are_shown_as_to_be_sent(notify: Bench) -> None:
    assert set(notify.work.background) == {"lapsing"}
    await notify.deliver(REACTION, *BOTH)
    await notify.deliver(PROJECTION, *await notify.published(REMINDERS))
    await notify.deliver(PARTIES, *BOTH)
    async with api(notify) as asked:
        listed = (await asked.as_(Role.OFFICE).get("/api/notify/reminders")).json()
    assert listed["next"] is None
    assert [item["reminder"] for item in listed["items"]] == ["BASELINE_DUE-P1", "REPORT_DUE-P1-1"]
    assert listed["items"][1] == {
        "reminder": "REPORT_DUE-P1-1",
        "person": "R1",
        "posting": "P1",
        "subject": "REPORT_DUE",
        "about": "P1-1",
        "due": "2026-06-10",
        "status": "TO_SEND",
        "attempts": 0,
        "delivered_at": None,
        "reason": None,
        "sender": "BUREAU",
        "host": "VILLAGE",
        "category": "RURAL_GUIDE",
    }


async def test_reminders_are_shown_within_one_s_scope(notify: Bench) -> None:
    given = (
        *BOTH,
        scheduled("P2-1", position=2, person="R2", sender="OTHER", host="TOWN", category=Category.SUPPORT_DOCTOR),
    )
    await notify.deliver(REACTION, *given)
    await notify.deliver(PROJECTION, *await notify.published(REMINDERS))
    async with api(notify) as asked:
        office = asked.as_(Role.OFFICE)
        assert (await office.get("/api/notify/reminders")).json()["items"] == [], "nobody sees what is not yet placed"
        await notify.deliver(PARTIES, *given)
        await notify.deliver(PARTIES, *given)
        clerk, cadre = asked.as_(Role.CLERK, unit="TOWN"), asked.as_(Role.CADRE, person="R1")
        department = asked.as_(Role.DEPARTMENT, categories=["SUPPORT_DOCTOR"])
        assert len((await office.get("/api/notify/reminders")).json()["items"]) == 3
        own = ["BASELINE_DUE-P1", "REPORT_DUE-P1-1"]
        for reader, wanted in ((clerk, ["REPORT_DUE-P2-1"]), (department, ["REPORT_DUE-P2-1"]), (cadre, own)):
            listed = (await reader.get("/api/notify/reminders")).json()["items"]
            assert [item["reminder"] for item in listed] == wanted
        path = "/api/notify/reminders/REPORT_DUE-P2-1"
        assert codes([await clerk.get(path), await cadre.get(path), await office.get(path)]) == [200, 404, 200]
        filtered = (await office.get("/api/notify/reminders", posting="P2", status="TO_SEND")).json()["items"]
        assert len(filtered) == 1
        assert (await office.get("/api/notify/reminders", status="FAILED")).json()["items"] == []


async def test_a_record_that_comes_again_does_not_let_a_reminder_be_sent_anew(notify: Bench) -> None:
    await notify.deliver(REACTION, scheduled())
    [recorded] = await notify.published(REMINDERS)
    assert isinstance(recorded.event, ReminderRecorded)
    end = ReminderDelivered(
        reminder=recorded.event.reminder, channel="webhook", delivered_at=notify.tools.clock.now(), attempts=1
    )
    await notify.deliver(PROJECTION, recorded, delivered(end, recorded.meta.stream, REMINDERS, 2))
    await notify.deliver(PROJECTION, recorded)
    async with notify.tools.engine.connect() as connection:
        assert (await connection.execute(select(reminders.c.status, reminders.c.attempts))).all() == [("DELIVERED", 1)]


async def test_a_reminder_names_nobody(notify: Bench) -> None:
    await notify.deliver(REACTION, *BOTH)
    for one in await notify.ledger():
        assert set(msgspec.json.decode(one.data)) == {
            "reminder",
            "person",
            "posting",
            "subject",
            "about",
            "due",
            "category",
        }


@pytest.mark.parametrize("handler", [REACTION, PROJECTION, PARTIES])
async def test_a_batch_without_anything_of_concern_writes_nothing(notify: Bench, handler: str) -> None:
    await notify.deliver(handler)
    await notify.deliver(handler, arrival())
    assert await notify.ledger() == []
