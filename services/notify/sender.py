"""The sender: takes what is to be sent, sends it, and records what became of it. Background work, never a handler.

A reminder is sent at least once: whoever dies between sending and recording lets it be sent again, under the same
Idempotency-Key. It is recorded as delivered, or as failed, exactly once.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.notify import ReminderDelivered, ReminderFailed

from chassis.clock import Clock
from chassis.tracing import continue_trace
from ledger.command import Desk, Plan, Reading
from ledger.entry import Request, Unavailable
from ledger.reader import read_stream
from ledger.trouble import is_trouble
from services.notify import outbox
from services.notify.outbox import Due
from services.notify.reminder import REMINDER, GiveUp, NoteDelivered, ToSend, stream_of
from services.notify.reminders import settle
from services.notify.webhook import CHANNEL, Taken, Webhook

log = logging.getLogger(__name__)

AT_ONCE = 20
LEASE = timedelta(seconds=60)
"""Longer than an attempt and the recording of its outcome take together at worst."""
POLL_SECONDS = 1.0
NAME = "sender:webhook"


def backoff(attempts: int) -> timedelta:
    """The pause after so many attempts: 10 s, then four times as long each time, at most 6 hours; spread by a quarter,
    so that what failed together does not come back together. Eight attempts last through about 10 hours."""
    seconds = min(10.0 * 4 ** (attempts - 1), 6 * 3600.0)
    return timedelta(seconds=seconds * random.uniform(1.0, 1.25))


class Sender:
    """Several may run side by side: each takes what the others have not leased."""

    def __init__(
        self,
        engine: AsyncEngine,
        desk: Desk,
        clock: Clock,
        webhook: Webhook,
        most: int,
        *,
        lease: timedelta = LEASE,
        pause: Callable[[int], timedelta] = backoff,
    ) -> None:
        self._engine, self._desk, self._clock, self._webhook = engine, desk, clock, webhook
        self._most, self._lease, self._pause = most, lease, pause

    async def run(self) -> None:
        """Until cancelled. Where the database is away, tries again; nothing is lost, since nothing was taken out."""
        while True:
            try:
                sent = await self.round()
            except Exception as error:
                if not is_trouble(error) and not isinstance(error, Unavailable):
                    raise
                log.warning("the database is away, reminders wait: %s", type(error).__name__)
                sent = 0
            if not sent:
                await asyncio.sleep(POLL_SECONDS)

    async def round(self) -> int:
        """One attempt for each reminder that is due, at most 20; how many there were."""
        waiting = await outbox.lease(self._engine, AT_ONCE, self._lease)
        ends = await asyncio.gather(*(self._attempt(due) for due in waiting), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return len(waiting)

    async def _attempt(self, due: Due) -> None:
        with continue_trace(due.trace or None, "remind"):
            if await self._already(due):
                return
            outcome = await self._webhook.send(due)
            if isinstance(outcome, Taken):
                now = self._clock.now()
                await self._record(due, NoteDelivered(channel=CHANNEL, delivered_at=now, attempts=due.attempts))
            elif due.attempts >= self._most:
                log.error("%s is given up after %s attempts: %s", due.reminder, due.attempts, outcome.reason)
                await self._record(due, GiveUp(channel=CHANNEL, attempts=due.attempts, reason=outcome.reason))
            else:
                log.warning("%s was not taken (%s), attempt %s", due.reminder, outcome.reason, due.attempts)
                await outbox.postpone(self._engine, due.reminder, self._pause(due.attempts))

    async def _already(self, due: Due) -> bool:
        """Whether it is settled in the ledger, and only the table does not know yet: somebody died in between."""
        _, state = await self._desk.look(REMINDER, stream_of(due.reminder))
        if isinstance(state, ToSend):
            return False
        await self._settle(due)
        return True

    async def _record(self, due: Due, command: NoteDelivered | GiveUp) -> None:
        stream = stream_of(due.reminder)

        async def plan(reading: Reading) -> Plan:
            state = await reading.state(REMINDER, stream)
            return Plan(events=[(stream, event) for event in REMINDER.decide(command, state)])

        await self._desk.record(
            plan,
            by=NAME,
            at=self._clock.now(),
            request=Request(NAME, due.reminder, b""),
            cause=f"{NAME}/{due.reminder}",
            trace=due.trace,
        )
        await self._settle(due)

    async def _settle(self, due: Due) -> None:
        """Let the table say what the ledger says; its event will come through the topic too, and change nothing more."""
        async with self._engine.begin() as connection:
            recorded = await read_stream(connection, stream_of(due.reminder))
            events = [self._desk.codec.decode(one.name, one.schema, one.data) for one in recorded]
            await settle(connection, [one for one in events if isinstance(one, ReminderDelivered | ReminderFailed)])
