"""How far a handler has come in a partition, kept in the handler's own database with what it wrote there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.topic import Topic

from ledger.kafka import Partition
from ledger.schema import watermarks as table


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """``position`` is that of the last event applied in the source's life ``epoch`` (0: none). ``reached`` is how far
    the source's ledger is known in this partition, by that event or by a marker, published at ``reached_at``; that
    record has ``hash`` and stood at ``offset`` (-1: none). ``next`` is the offset to read next. ``former`` are lives of
    the source that are over: their records are passed over.
    """

    epoch: str = ""
    position: int = 0
    reached: int = 0
    hash: bytes = b""
    offset: int = -1
    next: int = 0
    former: tuple[str, ...] = ()
    reached_at: datetime | None = field(default=None, compare=False)


NOTHING = Watermark()

_columns = (
    table.c.topic,
    table.c.partition,
    table.c.epoch,
    table.c.position,
    table.c.reached,
    table.c.hash,
    table.c.offset,
    table.c.next,
    table.c.former,
    table.c.reached_at,
)

# A reader that is frozen in the middle of a batch holds its locks: the server ends such a session after this long.
IDLE_SECONDS = 10
_locking = (*_columns, func.set_config("idle_in_transaction_session_timeout", f"{IDLE_SECONDS}s", True))
_hurrying = (*_locking, func.set_config("synchronous_commit", "off", True))

_MAKE = text("""
INSERT INTO watermarks (handler, topic, partition, epoch, position, reached, hash, "offset", next)
SELECT :handler, t, p, '', 0, 0, '', -1, 0
  FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS integer[])) AS k(t, p) ORDER BY t, p
    ON CONFLICT DO NOTHING
""")


async def load(
    connection: AsyncConnection, handler: str, partitions: Iterable[Partition]
) -> dict[Partition, Watermark]:
    """The watermarks of these partitions; rows that are missing are made."""
    wanted = sorted(partitions)
    await connection.execute(
        _MAKE,
        {"handler": handler, "topics": [topic for topic, _ in wanted], "partitions": [number for _, number in wanted]},
    )
    return await _read(connection, handler, wanted, _columns, lock=False)


async def take(
    connection: AsyncConnection, handler: str, partitions: Iterable[Partition], *, hurry: bool = False
) -> dict[Partition, Watermark]:
    """The watermarks of these partitions, locked until the transaction ends; always in the same order, so that two who
    take several wait for each other and do not deadlock. ``hurry``: its commit does not wait for the disk."""
    return await _read(connection, handler, sorted(partitions), _hurrying if hurry else _locking, lock=True)


async def _read(
    connection: AsyncConnection, handler: str, partitions: list[Partition], columns: Sequence[Any], *, lock: bool
) -> dict[Partition, Watermark]:
    query = (
        select(*columns)
        .where(table.c.handler == handler, tuple_(table.c.topic, table.c.partition).in_(partitions))
        .order_by(table.c.topic, table.c.partition)
    )
    found = await connection.execute(query.with_for_update() if lock else query)
    return {
        (row.topic, row.partition): Watermark(
            epoch=row.epoch,
            position=row.position,
            reached=row.reached,
            hash=bytes(row.hash),
            offset=row.offset,
            next=row.next,
            former=tuple(row.former),
            reached_at=row.reached_at,
        )
        for row in found
    }


_save = (
    update(table)
    .where(
        table.c.handler == bindparam("the_handler"),
        table.c.topic == bindparam("the_topic"),
        table.c.partition == bindparam("the_partition"),
    )
    .values({column: bindparam(column.name) for column in _columns[2:]})
)


async def save(connection: AsyncConnection, handler: str, marks: Mapping[Partition, Watermark]) -> None:
    """Write the watermarks; call it only in the transaction that took them."""
    if marks:
        await connection.execute(
            _save,
            [
                {
                    "the_handler": handler,
                    "the_topic": topic,
                    "the_partition": number,
                    "epoch": mark.epoch,
                    "position": mark.position,
                    "reached": mark.reached,
                    "hash": mark.hash,
                    "offset": mark.offset,
                    "next": mark.next,
                    "former": list(mark.former),
                    "reached_at": mark.reached_at,
                }
                for (topic, number), mark in marks.items()
            ],
        )


_AWAIT = text("""
INSERT INTO watermarks (handler, topic, partition, epoch, position, reached, hash, "offset", next)
SELECT :handler, :topic, p, :epoch, 0, 0, '', -1, 0 FROM generate_series(0, :partitions - 1) AS p
    ON CONFLICT (handler, topic, partition) DO UPDATE
   SET epoch = excluded.epoch, position = 0, reached = 0, hash = '', "offset" = -1, next = 0, reached_at = NULL
""")


async def await_lives(
    connection: AsyncConnection, handler: str, topics: Iterable[Topic], lives: Mapping[str, str]
) -> None:
    """Let a handler begin with the sources' new ``lives`` (epoch by owner), and pass over whatever the topics hold of
    others. For a restore and a new build, before a reader of that handler runs."""
    for topic in topics:
        values = {"handler": handler, "topic": topic.name, "epoch": lives[topic.owner], "partitions": topic.partitions}
        await connection.execute(_AWAIT, values)


@dataclass(frozen=True, slots=True)
class Reflected:
    """Everything that one source recorded up to ``position`` is applied (or parked); ``at`` is when the relay said so
    (None: never yet)."""

    position: int
    at: datetime | None


async def reflected(connection: AsyncConnection, handler: str, topics: Iterable[Topic]) -> dict[str, Reflected]:
    """What a handler's tables reflect, by source: of each source the partition that is farthest behind."""
    rows = await connection.execute(
        select(table.c.topic, table.c.partition, table.c.reached, table.c.reached_at).where(table.c.handler == handler)
    )
    known = {(row.topic, row.partition): Reflected(row.reached, row.reached_at) for row in rows}
    found: dict[str, Reflected] = {}
    for topic in topics:
        if topic.compacted:
            continue
        for number in range(topic.partitions):
            here = known.get((topic.name, number), Reflected(0, None))
            least = found.get(topic.owner)
            if (
                least is None
                or here.position < least.position
                or (here.position == least.position and here.at and least.at and here.at > least.at)
            ):
                found[topic.owner] = here
    return found
