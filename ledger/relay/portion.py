"""What the relay reads at once: events after a position, and the changes of keys that were there by then."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from ledger.ending import ended
from ledger.recorded import Recorded
from ledger.schema import COLUMNS

LIMIT = 500

# An event and the change of a key that it needs are recorded in one transaction: one snapshot shows both or none.
_EVENTS = f"""
SELECT {COLUMNS}, (SELECT coalesce(max(change), 0) FROM keyring) AS newest
  FROM ledger WHERE position > $1 ORDER BY position LIMIT $2
"""
_KEYS = "SELECT stream, wrapped, change FROM keyring WHERE change > $1 ORDER BY change LIMIT $2"


@dataclass(frozen=True, slots=True)
class Key:
    """``wrapped`` is None where the key was destroyed."""

    stream: str
    wrapped: bytes | None
    change: int


@dataclass(frozen=True, slots=True)
class Portion:
    """Keys are to be sent before events: a key is there when the first event that needs it is."""

    events: Sequence[Recorded]
    keys: Sequence[Key]

    @property
    def full(self) -> bool:
        """There may be more."""
        return LIMIT in (len(self.events), len(self.keys))

    @property
    def empty(self) -> bool:
        return not (self.events or self.keys)


class Portions:
    """Portion after portion, from after a position and a change of keys (None: keys are not asked for). Where there is
    more, the next one is read by the server while the caller is at work on this one."""

    def __init__(self, connection: asyncpg.Connection, position: int, change: int | None) -> None:
        self._connection, self._position, self._change = connection, position, change
        self._ahead: asyncio.Task[Portion] | None = None

    async def next(self) -> Portion:
        """What comes next; empty where nothing does by now."""
        portion = Portion([], [])
        if self._ahead is not None:
            portion = await self._ahead
            self._ahead = None
        if portion.empty:  # also where it was read ahead: something may have come since
            portion = await _read(self._connection, self._position, self._change)
        if portion.events:
            self._position = portion.events[-1].position
        if portion.keys:
            self._change = portion.keys[-1].change
        if portion.full:
            self._ahead = asyncio.create_task(_read(self._connection, self._position, self._change))
            await asyncio.sleep(0)  # so that the question goes out now
        return portion

    async def close(self) -> None:
        """Leave the connection alone. It may be left in the middle of an answer."""
        if self._ahead is not None:
            await ended([self._ahead])


async def _read(connection: asyncpg.Connection, position: int, change: int | None) -> Portion:
    """One exchange with the server where there are events and no keys, as nearly always."""
    rows = await connection.fetch(_EVENTS, position, LIMIT)
    recorded = [Recorded(*row[:-1]) for row in rows]
    if change is None or (rows and rows[0]["newest"] <= change):
        return Portion(recorded, [])
    return Portion(recorded, [Key(*row) for row in await connection.fetch(_KEYS, change, LIMIT)])
