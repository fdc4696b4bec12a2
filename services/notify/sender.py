"""The sender: takes what is to be sent, sends it, and records what became of it. Background work, never a handler.

A reminder is sent at least once: whoever dies between sending and recording lets it be sent again, under the same
Idempotency-Key. It is recorded as delivered, or as failed, exactly once. What would come too late is not sent at all
(:mod:`services.notify.lapsing`).
"""

import logging
import random
from collections.abc import Callable
from datetime import timedelta

from chassis.clock import Clock
from chassis.dated import Dated
from ledger.tracing import continue_trace
from services.notify import outbox
from services.notify.ends import Ends
from services.notify.outbox import Due
from services.notify.reminder import GiveUp, NoteDelivered
from services.notify.rounds import each, go_on
from services.notify.rules import ReminderRule, worth_sending_since
from services.notify.webhook import CHANNEL, Taken, Webhook

log = logging.getLogger(__name__)

AT_ONCE = 20
LEASE = timedelta(seconds=60)
"""Longer than an attempt and the recording of its outcome take together at worst."""
NAME = "sender:webhook"


def backoff(attempts: int) -> timedelta:
    """The pause after so many attempts: 10 s, then four times as long each time, at most 6 hours; spread by a quarter,
    so that what failed together does not come back together. Eight attempts last through about 10 hours."""
    seconds = min(10.0 * 4 ** (attempts - 1), 6 * 3600.0)
    return timedelta(seconds=seconds * random.uniform(1.0, 1.25))


class Sender:
    """Several may run side by side: each takes what the others have not leased. ``ends`` records as :data:`NAME`."""

    def __init__(
        self,
        ends: Ends,
        clock: Clock,
        rules: Dated[ReminderRule],
        webhook: Webhook,
        most: int,
        *,
        lease: timedelta = LEASE,
        pause: Callable[[int], timedelta] = backoff,
    ) -> None:
        self._ends, self._clock, self._rules, self._webhook = ends, clock, rules, webhook
        self._most, self._lease, self._pause = most, lease, pause

    async def run(self) -> None:
        """Until cancelled."""
        await go_on(self.round)

    async def round(self) -> int:
        """One attempt for each reminder that is due, at most 20; how many there were."""
        since = worth_sending_since(self._rules, self._clock.today())
        return await each(await outbox.lease(self._ends.engine, AT_ONCE, self._lease, since), self._attempt)

    async def _attempt(self, due: Due) -> None:
        with continue_trace(due.trace or None, "remind"):
            if await self._ends.already(due):
                return
            outcome = await self._webhook.send(due)
            if isinstance(outcome, Taken):
                now = self._clock.now()
                await self._ends.record(due, NoteDelivered(channel=CHANNEL, delivered_at=now, attempts=due.attempts))
            elif due.attempts >= self._most:
                log.error("%s is given up after %s attempts: %s", due.reminder, due.attempts, outcome.reason)
                await self._ends.record(due, GiveUp(channel=CHANNEL, attempts=due.attempts, reason=outcome.reason))
            else:
                log.warning("%s was not taken (%s), attempt %s", due.reminder, outcome.reason, due.attempts)
                await outbox.postpone(self._ends.engine, due.reminder, self._pause(due.attempts))
