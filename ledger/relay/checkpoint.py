"""How far the relay has come, as the ledger's database remembers it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.database import driver
from ledger.kafka import Partition
from ledger.schema import events, meta
from ledger.schema import published as table


@dataclass(frozen=True, slots=True)
class Reached:
    """What the broker has acknowledged in one partition.

    ``position`` is the last event's (0: none). The record at ``offset`` (-1: none) says the position ``at``: it is that
    event, or a marker after it.
    """

    position: int = 0
    offset: int = -1
    at: int = 0


NOTHING = Reached()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything up to ``position`` of the ledger in its life ``epoch``, and all changes of keys up to ``keys``, are
    with the broker. ``hash`` is that of the event at ``position``."""

    epoch: str
    position: int = 0
    hash: bytes = b""
    keys: int = 0
    partitions: Mapping[Partition, Reached] = field(default_factory=dict)

    def of(self, partition: Partition) -> Reached:
        return self.partitions.get(partition, NOTHING)


class Moved(Exception):
    """Somebody else has set the checkpoint, or the ledger has begun a new life: begin again from what stands there."""


class Contradicted(Exception):
    """The ledger is not what was published of it in this life: its tail was cut, or it was restored from a backup and
    has begun no new life. To publish it would tell readers two stories under one name; the message says where."""


async def load(connection: AsyncConnection) -> Checkpoint:
    """The checkpoint; an empty one where there is none of the ledger's present life."""
    epoch = str(await connection.scalar(select(meta.c.epoch)))
    row = (await connection.execute(select(table))).first()
    if row is None or row.epoch != epoch:
        fresh = Checkpoint(epoch)
        await store(connection, fresh, None)
        return fresh
    partitions = {
        (topic, int(number)): Reached(found["position"], found["offset"], found["at"])
        for topic, numbers in row.partitions.items()
        for number, found in numbers.items()
    }
    return Checkpoint(epoch, row.position, await hash_at(connection, row.position), row.key_changes, partitions)


# By asyncpg itself: it follows each wave of a few events, while those who read them want the same processors.
_STORE = """
UPDATE relay SET epoch = $1, position = $2, key_changes = $3, partitions = CAST($4::text AS jsonb), at = now()
 WHERE $5::text IS NULL OR (epoch, position, key_changes) = ($5, $6::bigint, $7::bigint)
"""
_BEGIN = """
INSERT INTO relay (one, epoch, position, key_changes, partitions, at)
VALUES (true, $1, $2, $3, CAST($4::text AS jsonb), now())
"""


async def store(connection: AsyncConnection, new: Checkpoint, old: Checkpoint | None) -> None:
    """Write ``new`` over ``old`` (None: over whatever is there).

    Raises:
        Moved: what is there is not ``old``.
    """
    partitions: dict[str, dict[str, dict[str, int]]] = {}
    for (topic, number), reached in new.partitions.items():
        partitions.setdefault(topic, {})[str(number)] = {
            "position": reached.position,
            "offset": reached.offset,
            "at": reached.at,
        }
    before = (None, None, None) if old is None else (old.epoch, old.position, old.keys)
    values = (new.epoch, new.position, new.keys, json.dumps(partitions), *before)
    raw = await driver(connection)
    if await raw.execute(_STORE, *values) == "UPDATE 1":
        return
    if old is not None:
        raise Moved
    await raw.execute(_BEGIN, *values[:4])


async def hash_at(connection: AsyncConnection, position: int) -> bytes:
    """The ledger's hash at a position; empty before its first event."""
    found = await connection.scalar(select(events.c.hash).where(events.c.position == position))
    return b"" if found is None else bytes(found)


async def look(connection: AsyncConnection, known: Checkpoint) -> int:
    """The ledger's head.

    Raises:
        Moved: the checkpoint was taken back, or the ledger's life is another.
        Contradicted: the ledger ends before what was published.
    """
    row = (
        await connection.execute(
            select(
                select(func.coalesce(func.max(events.c.position), 0)).scalar_subquery().label("head"),
                select(meta.c.epoch).scalar_subquery().label("epoch"),
                select(table.c.position).scalar_subquery().label("position"),
            )
        )
    ).one()
    if row.epoch != known.epoch or row.position is None or row.position < known.position:
        raise Moved
    if row.head < row.position:
        raise Contradicted(f"it ends at {row.head}, and {row.position} was published")
    return int(row.head)


def taken_back(checkpoint: Checkpoint) -> Checkpoint:
    """The same life from its beginning."""
    return replace(checkpoint, position=0, hash=b"", keys=0, partitions={})


async def republish(engine: AsyncEngine) -> None:
    """Have everything sent again from the first event. A running relay notices within a second or two; readers drop
    what they know already."""
    async with engine.begin() as connection:
        await connection.execute(update(table).values(position=0, key_changes=0, partitions={}))
