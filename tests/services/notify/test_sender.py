"""A reminder that is to be sent reaches the webhook, and what became of it is recorded once."""

import asyncio
import hashlib
import hmac
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from xiapai_contracts.notify import REMINDERS, ReminderDelivered, ReminderFailed, ReminderRecorded

from services.notify import webhook as webhook_module
from services.notify.ends import Ends
from services.notify.outbox import Due
from services.notify.rules import load
from services.notify.sender import NAME, Sender, backoff
from services.notify.tables import reminders
from services.notify.webhook import NotTaken, Taken, Webhook, open_webhook
from tests.services.chain import opened, scheduled
from tests.services.notify.conftest import Receiver
from tests.support.bench import TRACE, Bench

SECRET = "a secret of the operator"
SOON, LATER = timedelta(0), timedelta(hours=1)


async def wait_for(notify: Bench, count: int = 1) -> None:
    """So many reports are to be reminded of."""
    await notify.deliver("notify-due-reminder", *(scheduled(f"P{n}-1", position=n) for n in range(1, count + 1)))
    await come_back(notify)


async def come_back(notify: Bench) -> None:
    """What notify recorded has come back through its own topic."""
    await notify.deliver("notify-reminders", *await notify.published(REMINDERS))


@asynccontextmanager
async def sending(
    notify: Bench,
    url: str,
    *,
    most: int = 3,
    lease: timedelta = LATER,
    pause: Callable[[int], timedelta] = lambda attempts: SOON,
) -> AsyncIterator[Sender]:
    tools = notify.tools
    async with open_webhook(tools.codec, url, SECRET) as webhook:
        made = Ends(tools.engine, tools.desk, tools.clock, NAME)
        yield Sender(made, tools.clock, load(), webhook, most, lease=lease, pause=pause)


async def rows(notify: Bench, *columns: Any) -> list[tuple[Any, ...]]:
    async with notify.tools.engine.connect() as connection:
        found = await connection.execute(select(*columns).order_by(reminders.c.reminder))
        return [tuple(row) for row in found]


async def ends(notify: Bench) -> list[Any]:
    return [event for event in await notify.events() if not isinstance(event, ReminderRecorded)]


async def test_a_reminder_is_delivered_and_recorded_as_delivered(notify: Bench, receiver: Receiver) -> None:
    await wait_for(notify)
    async with sending(notify, receiver.url) as sender:
        assert await sender.round() == 1
        assert await sender.round() == 0
    assert len(receiver.taken) == 1
    assert await ends(notify) == [
        ReminderDelivered(
            reminder="REPORT_DUE-P1-1", channel="webhook", delivered_at=notify.tools.clock.now(), attempts=1
        )
    ]
    assert await rows(notify, reminders.c.status, reminders.c.attempts) == [("DELIVERED", 1)]
    await come_back(notify)
    assert await rows(notify, reminders.c.status, reminders.c.attempts) == [("DELIVERED", 1)]


async def test_what_is_sent_is_a_signed_cloud_event_without_personal_data(notify: Bench, receiver: Receiver) -> None:
    await wait_for(notify)
    async with sending(notify, receiver.url) as sender:
        await sender.round()
    [taken] = receiver.taken
    [recorded, _] = await notify.ledger()
    assert taken.path == "/hook" and taken.body == recorded.data, "the event as it was published"
    expected = {
        "content-type": "application/json",
        "idempotency-key": "REPORT_DUE-P1-1",
        "ce-specversion": "1.0",
        "ce-id": "REPORT_DUE-P1-1",
        "ce-source": "/notify",
        "ce-type": "reminder.recorded",
        "ce-subject": "reminder-REPORT_DUE-P1-1",
        "ce-dataschema": "urn:xiapai:reminder.recorded:2",
        "x-xiapai-signature": "sha256=" + hmac.new(SECRET.encode(), taken.body, hashlib.sha256).hexdigest(),
    }
    assert {name: taken.headers.get(name) for name in expected} == expected
    told = taken.headers["traceparent"]
    assert told[:35] == TRACE[:35] and told != TRACE, "the delivery is a child of what led to it"


async def test_a_receiver_in_trouble_is_asked_again_under_the_same_key(notify: Bench, receiver: Receiver) -> None:
    await wait_for(notify)
    receiver.answers = lambda n: 500 if n < 3 else 200
    async with sending(notify, receiver.url) as sender:
        assert [await sender.round() for _ in range(4)] == [1, 1, 1, 0]
    assert {taken.headers["idempotency-key"] for taken in receiver.taken} == {"REPORT_DUE-P1-1"}
    assert len({taken.body for taken in receiver.taken}) == 1 and len(receiver.taken) == 3
    [end] = await ends(notify)
    assert isinstance(end, ReminderDelivered) and end.attempts == 3


async def test_a_receiver_that_never_takes_it_is_given_up(notify: Bench, receiver: Receiver) -> None:
    await wait_for(notify)
    receiver.answers = lambda n: 503
    async with sending(notify, receiver.url) as sender:
        assert [await sender.round() for _ in range(4)] == [1, 1, 1, 0]
    assert await ends(notify) == [
        ReminderFailed(reminder="REPORT_DUE-P1-1", channel="webhook", attempts=3, reason="http-503")
    ]
    columns = (reminders.c.status, reminders.c.attempts, reminders.c.reason)
    assert await rows(notify, *columns) == [("FAILED", 3, "http-503")]


async def test_between_two_attempts_there_is_a_pause(notify: Bench, receiver: Receiver) -> None:
    await wait_for(notify)
    receiver.answers = lambda n: 500
    async with sending(notify, receiver.url, pause=lambda attempts: LATER * attempts) as sender:
        assert [await sender.round(), await sender.round()] == [1, 0]
    [(status, wait)] = await rows(notify, reminders.c.status, reminders.c.next_at - func.now())
    assert status == "TO_SEND" and timedelta(minutes=50) < wait <= LATER


def test_pauses_grow_and_stay_within_bounds() -> None:
    seconds = [backoff(attempts).total_seconds() for attempts in range(1, 20)]
    assert 10 <= seconds[0] <= 12.5 and 40 <= seconds[1] <= 50 and max(seconds) <= 1.25 * 6 * 3600
    assert 9 * 3600 < sum(seconds[:7]) < 14 * 3600


async def test_who_is_killed_between_sending_and_recording_lets_it_be_sent_again_and_recorded_once(
    notify: Bench, receiver: Receiver
) -> None:
    await wait_for(notify)
    receiver.hold = asyncio.Event()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.services.notify.sender_process", env=environment(notify, receiver.url)
    )
    arrived = asyncio.create_task(receiver.came.wait())
    died = asyncio.create_task(process.wait())
    await asyncio.wait([arrived, died], return_when=asyncio.FIRST_COMPLETED)
    assert arrived.done(), "the sender ended before it sent anything"
    process.kill()
    await died
    receiver.hold.set()
    assert await ends(notify) == []
    async with sending(notify, receiver.url) as sender:
        assert await sender.round() == 0, "leased by the one who died"
        async with notify.tools.engine.begin() as connection:
            await connection.execute(update(reminders).values(next_at=func.now()))
        assert [await sender.round(), await sender.round()] == [1, 0]
    assert [taken.headers["idempotency-key"] for taken in receiver.taken] == ["REPORT_DUE-P1-1"] * 2
    assert len({taken.body for taken in receiver.taken}) == 1
    [end] = await ends(notify)
    assert isinstance(end, ReminderDelivered) and end.attempts == 2


def environment(notify: Bench, url: str) -> dict[str, str]:
    """What a process of notify is told."""
    settings = notify.tools.settings
    assert settings.database_notify is not None
    own = {
        "XIAPAI_ENVIRONMENT": "development",
        "XIAPAI_CLOCK": "simulated",
        "XIAPAI_DATA": str(settings.data),
        "XIAPAI_DATABASE_NOTIFY": settings.database_notify.get_secret_value(),
        "XIAPAI_WEBHOOK_URL": url,
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("XIAPAI_")} | own


async def test_a_sender_that_is_stopped_while_it_sends_lets_it_be_sent_again(notify: Bench, receiver: Receiver) -> None:
    await wait_for(notify)
    receiver.hold = asyncio.Event()
    async with sending(notify, receiver.url, lease=SOON) as sender:
        first = asyncio.create_task(sender.round())
        await receiver.came.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert await ends(notify) == []
    receiver.hold.set()
    async with sending(notify, receiver.url, lease=SOON) as sender:
        assert [await sender.round(), await sender.round()] == [1, 0]
    assert [taken.headers["idempotency-key"] for taken in receiver.taken] == ["REPORT_DUE-P1-1"] * 2
    [end] = await ends(notify)
    assert isinstance(end, ReminderDelivered) and end.attempts == 2


async def test_who_dies_between_recording_and_noting_it_down_sends_nothing_again(
    notify: Bench, receiver: Receiver
) -> None:
    await wait_for(notify)
    async with sending(notify, receiver.url) as sender:
        await sender.round()
        async with notify.tools.engine.begin() as connection:
            await connection.execute(update(reminders).values(status="TO_SEND", next_at=func.now()))
        assert [await sender.round(), await sender.round()] == [1, 0]
    assert len(receiver.taken) == 1 and len(await ends(notify)) == 1
    assert await rows(notify, reminders.c.status, reminders.c.attempts) == [("DELIVERED", 1)]


async def test_a_reminder_is_leased_before_it_is_sent(notify: Bench, receiver: Receiver) -> None:
    await wait_for(notify)
    receiver.hold = asyncio.Event()
    async with sending(notify, receiver.url) as one, sending(notify, receiver.url) as other:
        first = asyncio.create_task(one.round())
        await receiver.came.wait()
        assert await other.round() == 0
        receiver.hold.set()
        assert await first == 1
    assert len(receiver.taken) == 1


async def test_two_senders_share_what_is_to_be_sent(notify: Bench, receiver: Receiver) -> None:
    await wait_for(notify, 50)
    async with sending(notify, receiver.url) as one, sending(notify, receiver.url) as other:
        while sum(await asyncio.gather(one.round(), other.round())):
            pass
    keys = [taken.headers["idempotency-key"] for taken in receiver.taken]
    assert len(keys) == len(set(keys)) == 50 and len(await ends(notify)) == 50


async def test_one_reminder_that_is_not_taken_holds_up_no_other(notify: Bench, receiver: Receiver) -> None:
    await wait_for(notify, 5)
    receiver.answers = lambda n: 500 if n == 1 else 200
    async with sending(notify, receiver.url, pause=lambda attempts: LATER) as sender:
        assert [await sender.round(), await sender.round()] == [5, 0]
    assert sorted(status for (status,) in await rows(notify, reminders.c.status)) == ["DELIVERED"] * 4 + ["TO_SEND"]


async def test_a_redirect_leads_nowhere(notify: Bench, receiver: Receiver) -> None:
    await wait_for(notify)
    receiver.answers, receiver.location = (lambda n: 307), receiver.url.replace("/hook", "/elsewhere")
    async with sending(notify, receiver.url, most=1) as sender:
        await sender.round()
    [end] = await ends(notify)
    assert isinstance(end, ReminderFailed) and end.reason == "http-307" and len(receiver.taken) == 1


async def test_a_receiver_that_is_away_or_silent_is_told_apart(
    notify: Bench, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = Due("REPORT_DUE-P1-1", "R1", "P1", "REPORT_DUE", "P1-1", scheduled().event.due, 1, "", None)
    async with open_webhook(notify.tools.codec, "http://127.0.0.1:1/", SECRET) as webhook:
        assert await webhook.send(due) == NotTaken("unreachable")
    receiver.hold = asyncio.Event()
    monkeypatch.setattr(webhook_module, "TIMEOUT_SECONDS", 0.2)
    async with open_webhook(notify.tools.codec, receiver.url, None) as webhook:
        assert await webhook.send(due) == NotTaken("timeout")
    assert "x-xiapai-signature" not in receiver.taken[0].headers


async def test_a_code_in_chinese_travels_in_headers_too(notify: Bench, receiver: Receiver) -> None:
    due = Due("REPORT_DUE-下派 7-1", "R1", "下派 7", "REPORT_DUE", "下派 7-1", opened().event.due, 1, "", None)
    async with open_webhook(notify.tools.codec, receiver.url, SECRET) as webhook:
        assert isinstance(webhook, Webhook) and await webhook.send(due) == Taken()
    assert receiver.taken[0].headers["idempotency-key"] == "REPORT_DUE-%E4%B8%8B%E6%B4%BE%207-1"


async def test_the_sender_goes_on_by_itself(notify: Bench, receiver: Receiver) -> None:
    async with sending(notify, receiver.url) as sender:
        running = asyncio.create_task(sender.run())
        await wait_for(notify, 30)
        while len(await ends(notify)) < 30:
            assert not running.done()
            await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert len(receiver.taken) == 30
