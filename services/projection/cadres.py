"""干部 what stands about a cadre besides the sealed fields: home unit, rank, duty; as known from position to position."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Column, Index, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.registry import CadreCorrected, CadreEnrolled

from ledger.deliver import Delivered
from services.projection import versions
from services.projection.tables import Code, Moment, Position, metadata

CADRES_VERSION = 1

cadres = Table(
    "cadres",
    metadata,
    Column("person", Code, primary_key=True),
    Column("known_from", Position, primary_key=True, autoincrement=False),
    Column("known_to", Position),
    Column("recorded_at", Moment, nullable=False),
    Column("unit", Code, nullable=False),
    Column("rank", Code, nullable=False),
    Column("duty", Text),
    Column("sex", Code),
    Column("party", Text),
)
Index("cadres_now", cadres.c.person, postgresql_where=text("known_to IS NULL"))


class Cadre(Struct, frozen=True, gc=False):
    """A cadre's record as known from one position on."""

    person: str
    known_from: int
    recorded_at: datetime
    unit: str
    rank: str
    duty: str | None
    sex: str | None
    party: str | None

    def row(self, known_to: int | None) -> tuple[Any, ...]:
        return (
            self.person,
            self.known_from,
            known_to,
            self.recorded_at,
            self.unit,
            self.rank,
            self.duty,
            self.sex,
            self.party,
        )


def read(row: Any) -> Cadre:
    person, known_from, _, recorded_at, unit, rank, duty, sex, party = row
    return Cadre(person, known_from, recorded_at, unit, rank, duty, sex, party)


async def project(connection: AsyncConnection, events: list[Delivered]) -> None:
    """Take up the events of the topic registry.persons."""
    ours = [d for d in events if isinstance(d.event, CadreEnrolled | CadreCorrected)]
    await versions.project(connection, cadres, ours, lambda event: str(event.person), _next, read)


def _next(before: Cadre | None, event: Any, delivered: Delivered) -> Cadre:
    meta = delivered.meta
    assert meta.recorded_at is not None
    return Cadre(
        event.person,
        meta.position,
        meta.recorded_at,
        event.unit,
        event.rank.value,
        event.duty,
        event.sex.value if event.sex else None,
        event.party,
    )
