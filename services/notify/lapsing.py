"""过期不发: what would be sent too late lapses, whether there is a webhook or not. Background work, never a handler.

After an import of years of history most of what ever fell due lies long past: nobody wants to be reminded of it, least
of all all at once on the day when a webhook is set.
"""

from chassis.clock import Clock
from chassis.dated import Dated
from ledger.tracing import continue_trace
from services.notify import outbox
from services.notify.ends import Ends
from services.notify.outbox import Due
from services.notify.reminder import LetLapse
from services.notify.rounds import each, go_on
from services.notify.rules import ReminderRule, worth_sending_since

AT_ONCE = 100
NAME = "lapsing"
PAST_DUE = "past-due"


class Lapsing:
    """Several may run side by side: a reminder lapses once. ``ends`` records as :data:`NAME`."""

    def __init__(self, ends: Ends, clock: Clock, rules: Dated[ReminderRule]) -> None:
        self._ends, self._clock, self._rules = ends, clock, rules

    async def run(self) -> None:
        """Until cancelled."""
        await go_on(self.round)

    async def round(self) -> int:
        """At most 100 of what is too late; how many there were."""
        before = worth_sending_since(self._rules, self._clock.today())
        return await each(await outbox.late(self._ends.engine, AT_ONCE, before), self._lapse)

    async def _lapse(self, due: Due) -> None:
        with continue_trace(due.trace or None, "lapse"):
            await self._ends.record(due, LetLapse(reason=PAST_DUE))
