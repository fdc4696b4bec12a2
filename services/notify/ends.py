"""What became of a reminder: recorded once in the ledger, and then said by the table."""

from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.clock import Clock
from ledger.command import Desk, Plan, Reading
from ledger.entry import Request
from ledger.reader import read_stream
from services.notify.outbox import Due
from services.notify.reminder import REMINDER, GiveUp, LetLapse, NoteDelivered, ToSend, stream_of
from services.notify.reminders import settle


class Ends:
    """``by`` is who records, such as `sender:webhook`."""

    def __init__(self, engine: AsyncEngine, desk: Desk, clock: Clock, by: str) -> None:
        self.engine = engine
        self._desk, self._clock, self._by = desk, clock, by

    async def already(self, due: Due) -> bool:
        """Whether it is settled in the ledger, and only the table does not know yet: somebody died in between."""
        _, state = await self._desk.look(REMINDER, stream_of(due.reminder))
        if isinstance(state, ToSend):
            return False
        await self._settle(due)
        return True

    async def record(self, due: Due, command: NoteDelivered | GiveUp | LetLapse) -> None:
        """Once, whoever asks again."""
        stream = stream_of(due.reminder)

        async def plan(reading: Reading) -> Plan:
            state = await reading.state(REMINDER, stream)
            return Plan(events=[(stream, event) for event in REMINDER.decide(command, state)])

        await self._desk.record(
            plan,
            by=self._by,
            at=self._clock.now(),
            request=Request(self._by, due.reminder, b""),
            cause=f"{self._by}/{due.reminder}",
        )
        await self._settle(due)

    async def _settle(self, due: Due) -> None:
        """Let the table say what the ledger says; its event will come through the topic too, and change nothing more."""
        async with self.engine.begin() as connection:
            recorded = await read_stream(connection, stream_of(due.reminder))
            await settle(connection, [self._desk.codec.decode(one.name, one.schema, one.data) for one in recorded])
