"""What the relay reads at once: events after a position, and the changes of keys that were there by then."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

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


async def read(connection: asyncpg.Connection, position: int, change: int | None) -> Portion:
    """What comes after a position, and after a change of keys (None: keys are not asked for). One exchange with the server
    where there are events and no keys, as nearly always."""
    rows = await connection.fetch(_EVENTS, position, LIMIT)
    recorded = [Recorded(*row[:-1]) for row in rows]
    if change is None or (rows and rows[0]["newest"] <= change):
        return Portion(recorded, [])
    return Portion(recorded, [Key(*row) for row in await connection.fetch(_KEYS, change, LIMIT)])
