"""How far a handler has come in a partition, kept in the handler's own database with what it wrote there.

What each batch asks and writes goes through asyncpg itself: in a process that has little to do, between two batches, an
exchange takes 0.4 ms so, through SQLAlchemy's expressions 1.5 to 2.4 (measured).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.topic import Topic

from ledger.database import driver
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

# A reader that is frozen in the middle of a batch holds its locks: the server ends such a session after this long.
IDLE_SECONDS = 10

_MAKE = """
INSERT INTO watermarks (handler, topic, partition, epoch, position, reached, hash, "offset", next)
SELECT $1, t, p, '', 0, 0, '', -1, 0 FROM unnest($2::text[], $3::integer[]) AS k(t, p) ORDER BY t, p
    ON CONFLICT DO NOTHING
"""
_READ = """
SELECT topic, partition, epoch, position, reached, hash, "offset", next, former, reached_at{more} FROM watermarks
 WHERE handler = $1 AND (topic, partition) IN (SELECT * FROM unnest($2::text[], $3::integer[]))
 ORDER BY topic, partition
"""
_LOOK = _READ.format(more="")
_LOCK = (
    _READ.format(more=f", set_config('idle_in_transaction_session_timeout', '{IDLE_SECONDS}s', true)") + "FOR UPDATE"
)
_SAVE = """
UPDATE watermarks SET epoch = $4, position = $5, reached = $6, hash = $7, "offset" = $8, next = $9, former = $10,
       reached_at = $11 WHERE handler = $1 AND topic = $2 AND partition = $3
"""


async def load(
    connection: AsyncConnection, handler: str, partitions: Iterable[Partition]
) -> dict[Partition, Watermark]:
    """The watermarks of these partitions; rows that are missing are made."""
    wanted = sorted(partitions)
    await (await driver(connection)).execute(_MAKE, handler, [topic for topic, _ in wanted], [n for _, n in wanted])
    return await _read(connection, _LOOK, handler, wanted)


async def take(
    connection: AsyncConnection, handler: str, partitions: Iterable[Partition]
) -> dict[Partition, Watermark]:
    """The watermarks of these partitions, locked until the transaction ends; always in the same order, so that two who
    take several wait for each other and do not deadlock."""
    assert (await driver(connection)).is_in_transaction(), "a lock without a transaction is gone at once"
    return await _read(connection, _LOCK, handler, sorted(partitions))


async def _read(
    connection: AsyncConnection, question: str, handler: str, partitions: list[Partition]
) -> dict[Partition, Watermark]:
    topics, numbers = [topic for topic, _ in partitions], [number for _, number in partitions]
    return {
        (row["topic"], row["partition"]): Watermark(
            epoch=row["epoch"],
            position=row["position"],
            reached=row["reached"],
            hash=row["hash"],
            offset=row["offset"],
            next=row["next"],
            former=tuple(row["former"]),
            reached_at=row["reached_at"],
        )
        for row in await (await driver(connection)).fetch(question, handler, topics, numbers)
    }


async def save(connection: AsyncConnection, handler: str, marks: Mapping[Partition, Watermark]) -> None:
    """Write the watermarks; call it only in the transaction that took them."""
    rows = [
        (handler, topic, number, m.epoch, m.position, m.reached, m.hash, m.offset, m.next, list(m.former), m.reached_at)
        for (topic, number), m in marks.items()
    ]
    if rows:
        await (await driver(connection)).executemany(_SAVE, rows)


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
