"""What an answer reflects: a cut through the ledgers, as positions, and how old it is.

A read model has taken up each topic's partitions to different places. An answer shows exactly what the ledger held at
the lowest of them, so that the same cut gives the same answer for ever.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.registry import HEADS, KEYS, PERSONS, POSTINGS, UNITS

from ledger.database import driver

SOURCE = "registry"
EVENT_TOPICS = (UNITS, PERSONS, POSTINGS)
_PARTITIONS = sum(topic.partitions for topic in EVENT_TOPICS)

_REACHED = """
SELECT count(*) FILTER (WHERE topic = ANY($2::text[])) AS partitions,
       min(reached) FILTER (WHERE topic = ANY($2::text[])) AS reached,
       max(position) FILTER (WHERE topic = ANY($2::text[])) AS newest,
       min(reached_at) FILTER (WHERE topic = ANY($2::text[])) AS reached_at,
       min(reached) FILTER (WHERE topic = $3) AS head,
       min(reached_at) FILTER (WHERE topic = $3) AS head_at,
       EXISTS (SELECT FROM dead_letters WHERE handler = $1 AND topic = ANY($4::text[])) AS unnamed
FROM watermarks WHERE handler = $1
"""
_TOPICS = ([topic.name for topic in EVENT_TOPICS], HEADS.name, [PERSONS.name, KEYS.name])


@dataclass(frozen=True, slots=True)
class Cut:
    """``position`` of the registry's ledger; ``newest``: nothing later has been taken up, so that the rows that hold
    now are the rows of the cut. ``age_ms`` since the cut was all there was; None where nothing was ever published.
    ``unnamed``: events of persons are parked, so that a posting's person may have no row."""

    position: int
    newest: bool
    age_ms: int | None
    unnamed: bool = False

    @property
    def positions(self) -> dict[str, int]:
        return {SOURCE: self.position}

    def known(self, alias: str) -> str:
        """The condition that a row of a versioned table belongs to the cut."""
        if self.newest:
            return f"{alias}.known_to IS NULL"
        return f"({alias}.known_from <= :known AND ({alias}.known_to IS NULL OR {alias}.known_to > :known))"

    def params(self) -> dict[str, Any]:
        return {"known": self.position}


async def newest_cut(connection: AsyncConnection, handler: str, now: datetime | None = None) -> Cut:
    """The newest cut that the read models of ``handler`` hold in full."""
    row = await (await driver(connection)).fetchrow(_REACHED, handler, *_TOPICS)
    assert row is not None, "aggregates without groups are one row"
    whole = row["partitions"] == _PARTITIONS
    position = row["reached"] if whole else 0
    # What was said last, which need not be what bears the latest time: clocks are set back.
    told = (row["head_at"] if row["head"] == position else None) or (row["reached_at"] if whole else None)
    age = max(0, round(((now or datetime.now(UTC)) - told).total_seconds() * 1000)) if told else None
    return Cut(position, (row["newest"] or 0) <= position, age, row["unnamed"])


async def cut_at(connection: AsyncConnection, newest: Cut, known: int | datetime | None) -> Cut:
    """The cut at a position, or at a moment of the ledger's own time, not beyond the newest one."""
    if known is None:
        return newest
    if isinstance(known, datetime):
        statement = text("SELECT max(position) FROM events WHERE recorded_at <= :moment AND position <= :newest")
        known = int(await connection.scalar(statement, {"moment": known, "newest": newest.position}) or 0)
    if known >= newest.position:
        return newest
    return Cut(known, False, newest.age_ms, newest.unnamed)


async def head_of(connection: AsyncConnection, handler: str) -> int | None:
    """How far the registry's ledger was published when its last heartbeat came by; None before the first."""
    statement = text(
        "SELECT min(reached) FROM watermarks WHERE handler = :handler AND topic = :heads AND reached_at IS NOT NULL"
    )
    found = await connection.scalar(statement, {"handler": handler, "heads": HEADS.name})
    return None if found is None else int(found)
