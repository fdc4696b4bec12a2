"""A ledger's clock: real, or simulated for demonstrations. The first event fixes which, and the two never mix.

A simulated clock stands still until it is moved, and never goes back.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.schema import meta

ClockKind = Literal["real", "simulated"]
_ZH = {"real": "真实时间", "simulated": "模拟时间"}


class ClockMismatch(RuntimeError):
    """The ledger was begun under the other kind of clock."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What a ledger's clock is, and where it stands if simulated (None: it follows real time)."""

    kind: ClockKind
    stands_at: datetime | None


async def fix(connection: AsyncConnection, kind: ClockKind, start: datetime | None = None) -> Clock:
    """Begin a ledger under a kind of clock, or see that it was begun under it. ``start`` is where a simulated clock
    stands at first.

    Raises:
        ClockMismatch: it was begun under the other kind.
    """
    await connection.execute(
        update(meta)
        .where(meta.c.clock.is_(None))
        .values(clock=kind, simulated_now=start if kind == "simulated" else None)
    )
    clock = await look(connection)
    if clock.kind != kind:
        raise ClockMismatch(
            f"这本台账用的是{_ZH[clock.kind]},而设置要求{_ZH[kind]}:请另选数据目录,或改回原来的时间设置。"
            f"This ledger's time is {clock.kind}, and the settings say {kind}: use another data folder, or set it back."
        )
    return clock


async def look(connection: AsyncConnection) -> Clock:
    """The ledger's clock as it stands; real where no event has fixed it yet."""
    row = (await connection.execute(select(meta.c.clock, meta.c.simulated_now))).one()
    return Clock("simulated" if row.clock == "simulated" else "real", row.simulated_now)


async def move(connection: AsyncConnection, to: datetime) -> None:
    """Move a simulated clock forward.

    Raises:
        ClockMismatch: the clock is real, or stands later than ``to`` already.
    """
    moved = await connection.execute(
        update(meta)
        .where(meta.c.clock == "simulated", or_(meta.c.simulated_now <= to, meta.c.simulated_now.is_(None)))
        .values(simulated_now=to)
        .returning(func.now())
    )
    if moved.first() is None:
        raise ClockMismatch("只有模拟时间可以移动,而且只能向前。Only a simulated clock can be moved, and only forward.")
