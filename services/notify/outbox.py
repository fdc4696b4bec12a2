"""待发提醒: the sender's side of the table of reminders.

An attempt is counted and its reminder leased before anything is sent, in a transaction that ends before the network is
touched: a sender that is killed holds no lock, and its reminders fall due again when the lease runs out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True, slots=True)
class Due:
    """A reminder to be sent now; ``attempts`` counts this attempt too."""

    reminder: str
    person: str
    posting: str
    subject: str
    about: str
    due: date
    attempts: int
    trace: str
    category: str | None


_LEASE = text("""
UPDATE reminders SET attempts = reminders.attempts + 1, next_at = now() + :lease
FROM (SELECT reminder FROM reminders WHERE status = 'TO_SEND' AND next_at <= now() AND due >= :since
      ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED) AS waiting
WHERE reminders.reminder = waiting.reminder
RETURNING reminders.reminder, person, posting, subject, about, due, attempts, trace, category
""")
_LATE = text("""
SELECT reminder, person, posting, subject, about, due, attempts, trace, category
FROM reminders WHERE status = 'TO_SEND' AND next_at <= now() AND due < :before ORDER BY next_at LIMIT :limit
""")
_POSTPONE = text("UPDATE reminders SET next_at = now() + :pause WHERE reminder = :reminder AND status = 'TO_SEND'")


async def lease(engine: AsyncEngine, limit: int, lease: timedelta, since: date) -> Sequence[Due]:
    """At most ``limit`` reminders that are to be sent now, of what falls due on ``since`` or later; nobody else gets them
    before the lease is over."""
    async with engine.begin() as connection:
        rows = (await connection.execute(_LEASE, {"limit": limit, "lease": lease, "since": since})).all()
    return [Due(*row) for row in rows]


async def late(engine: AsyncEngine, limit: int, before: date) -> Sequence[Due]:
    """At most ``limit`` reminders that nobody is sending, of what fell due before a day."""
    async with engine.connect() as connection:
        rows = (await connection.execute(_LATE, {"limit": limit, "before": before})).all()
    return [Due(*row) for row in rows]


async def postpone(engine: AsyncEngine, reminder: str, pause: timedelta) -> None:
    """Let it fall due again after a pause."""
    async with engine.begin() as connection:
        await connection.execute(_POSTPONE, {"reminder": reminder, "pause": pause})
