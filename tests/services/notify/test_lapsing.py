"""What would be reminded of too late lapses, is shown so with its reason, and no webhook is flooded with it."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from xiapai_contracts.notify import REMINDERS, ReminderDelivered, ReminderLapsed

from chassis.dated import BadRules, Dated
from chassis.identity.principal import Role
from services.notify.ends import Ends
from services.notify.lapsing import NAME, Lapsing
from services.notify.rules import ReminderRule, load, worth_sending_since
from services.notify.sender import NAME as SENDER
from services.notify.sender import Sender
from services.notify.tables import reminders
from services.notify.webhook import open_webhook
from tests.services.chain import scheduled
from tests.services.notify.conftest import Receiver
from tests.support.bench import Bench, api

TODAY = date(2026, 7, 1)
LAST_DAY = TODAY - timedelta(days=30)


def lapsing(notify: Bench) -> Lapsing:
    tools = notify.tools
    return Lapsing(Ends(tools.engine, tools.desk, tools.clock, NAME), tools.clock, load())


async def come(notify: Bench, *due: date) -> None:
    """A report due on each of these days is to be reminded of."""
    given = [scheduled(f"P{n}-1", position=n, due=day) for n, day in enumerate(due, 1)]
    await notify.deliver("notify-due-reminder", *given)
    await notify.deliver("notify-parties", *given)
    await come_back(notify)


async def come_back(notify: Bench) -> None:
    await notify.deliver("notify-reminders", *await notify.published(REMINDERS))


async def statuses(notify: Bench) -> list[tuple[str, str | None]]:
    async with notify.tools.engine.connect() as connection:
        found = await connection.execute(select(reminders.c.status, reminders.c.reason).order_by(reminders.c.reminder))
        return [tuple(row) for row in found]


async def test_what_fell_due_longer_ago_than_the_rule_allows_lapses_with_its_reason(notify: Bench) -> None:
    await come(notify, LAST_DAY - timedelta(days=1), LAST_DAY, date(2027, 1, 1))
    assert await lapsing(notify).round() == 1
    assert await lapsing(notify).round() == 0
    wanted = [("LAPSED", "past-due"), ("TO_SEND", None), ("TO_SEND", None)]
    assert await statuses(notify) == wanted
    await come_back(notify)
    assert await statuses(notify) == wanted, "the topic says the same"
    lapsed = [event for event in await notify.events() if isinstance(event, ReminderLapsed)]
    assert lapsed == [ReminderLapsed(reminder="REPORT_DUE-P1-1", reason="past-due")]


async def test_it_lapses_without_a_webhook_and_is_seen_in_the_list(notify: Bench) -> None:
    await come(notify, date(2019, 5, 1))
    await lapsing(notify).round()
    async with api(notify) as asked:
        listed = (await asked.as_(Role.OFFICE).get("/api/notify/reminders", status="LAPSED")).json()["items"]
    assert [(one["reminder"], one["status"], one["reason"]) for one in listed] == [
        ("REPORT_DUE-P1-1", "LAPSED", "past-due")
    ]


async def test_the_day_a_webhook_is_set_after_years_of_history_nothing_old_is_sent(
    notify: Bench, receiver: Receiver
) -> None:
    await come(notify, *(date(2020, 1, 1) + timedelta(days=n) for n in range(250)), TODAY)
    tools = notify.tools
    async with open_webhook(tools.codec, receiver.url, None) as webhook:
        sender = Sender(Ends(tools.engine, tools.desk, tools.clock, SENDER), tools.clock, load(), webhook, 3)
        assert [await sender.round(), await sender.round()] == [1, 0], "before anything lapsed"
        while await lapsing(notify).round():
            pass
        assert await sender.round() == 0
    assert len(receiver.taken) == 1
    events = await notify.events()
    assert sum(isinstance(event, ReminderLapsed) for event in events) == 250
    assert sum(isinstance(event, ReminderDelivered) for event in events) == 1


async def test_what_is_being_sent_does_not_lapse_under_the_sender(notify: Bench) -> None:
    await come(notify, date(2019, 5, 1))
    async with notify.tools.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE reminders SET next_at = now() + interval '1 minute'")
    assert await lapsing(notify).round() == 0


async def test_two_at_once_let_a_reminder_lapse_once(notify: Bench) -> None:
    await come(notify, date(2019, 5, 1))
    await lapsing(notify).round()
    async with notify.tools.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE reminders SET status = 'TO_SEND'")
    assert await lapsing(notify).round() == 1
    assert len([event for event in await notify.events() if isinstance(event, ReminderLapsed)]) == 1
    assert await statuses(notify) == [("LAPSED", "past-due")]


def test_the_rule_that_counts_is_that_of_the_day_of_sending(tmp_path: Path) -> None:
    rules = Dated((date(2000, 1, 1), date(2026, 7, 1)), (ReminderRule(late_days=30), ReminderRule(late_days=7)))
    assert worth_sending_since(rules, date(2026, 6, 30)) == date(2026, 5, 31)
    assert worth_sending_since(rules, date(2026, 7, 1)) == date(2026, 6, 24)
    file = tmp_path / "own.toml"
    file.write_text("[[rule]]\nfrom = 2026-01-01\nlate_days = -1\n")
    with pytest.raises(BadRules, match="late_days"):
        load(file)
