"""单位 the tree of units: what they were called and under whom, on a day, as known at a position (R5)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ARRAY, Boolean, Column, Date, Index, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.registry import (
    UnitClosed,
    UnitCorrected,
    UnitMerged,
    UnitMoved,
    UnitRegistered,
    UnitRenamed,
)
from xiapai_contracts.terms import ZH, UnitKind

from ledger.deliver import Delivered
from services.projection import versions
from services.projection.lens import Lens
from services.projection.scope import ABOVE
from services.projection.tables import Code, Moment, Position, ask, like, metadata
from services.projection.timeline import Timeline

UNITS_VERSION = 2

units = Table(
    "units",
    metadata,
    Column("unit", Code, primary_key=True),
    Column("known_from", Position, primary_key=True, autoincrement=False),
    Column("known_to", Position),
    Column("recorded_at", Moment, nullable=False),
    Column("kind", Code, nullable=False),
    Column("credit_code", Code),
    Column("poor_village", Boolean, nullable=False),
    Column("division", Code),
    Column("name_since", ARRAY(Date), nullable=False),
    Column("names", ARRAY(Text), nullable=False),
    Column("parent_since", ARRAY(Date), nullable=False),
    Column("parents", ARRAY(Text), nullable=False),
    Column("merged_on", Date),
    Column("merged_into", Code),
    Column("closed_on", Date),
)
Index("units_now", units.c.unit, postgresql_where=text("known_to IS NULL"))


class Unit(Struct, frozen=True, gc=False):
    """A unit as known from one position on."""

    unit: str
    known_from: int
    recorded_at: datetime
    kind: UnitKind
    credit_code: str | None
    poor_village: bool
    division: str | None
    names: Timeline[str]
    parents: Timeline[str | None]
    merged_on: date | None = None
    merged_into: str | None = None
    closed_on: date | None = None

    def row(self, known_to: int | None) -> tuple[Any, ...]:
        return (
            self.unit,
            self.known_from,
            known_to,
            self.recorded_at,
            self.kind.value,
            self.credit_code,
            self.poor_village,
            self.division,
            self.names.since,
            self.names.values,
            self.parents.since,
            self.parents.values,
            self.merged_on,
            self.merged_into,
            self.closed_on,
        )


def read(row: Any) -> Unit:
    return Unit(
        unit=row["unit"],
        known_from=row["known_from"],
        recorded_at=row["recorded_at"],
        kind=UnitKind(row["kind"]),
        credit_code=row["credit_code"],
        poor_village=row["poor_village"],
        division=row["division"],
        names=Timeline.of(row["name_since"], row["names"]),
        parents=Timeline.of(row["parent_since"], row["parents"]),
        merged_on=row["merged_on"],
        merged_into=row["merged_into"],
        closed_on=row["closed_on"],
    )


async def project(connection: AsyncConnection, events: list[Delivered]) -> None:
    """Take up the events of the topic registry.units."""
    await versions.project(connection, units, events, lambda event: str(event.unit), _next, read)


def _next(unit: Unit | None, event: Any, delivered: Delivered) -> Unit:
    meta = delivered.meta
    assert meta.recorded_at is not None
    if isinstance(event, UnitRegistered):
        return Unit(
            unit=event.unit,
            known_from=meta.position,
            recorded_at=meta.recorded_at,
            kind=event.kind,
            credit_code=event.credit_code,
            poor_village=event.poor_village,
            division=event.division,
            names=Timeline.always(event.name),
            parents=Timeline.always(event.parent),
        )
    if unit is None:
        raise ValueError(f"{meta.type} of a unit that was never registered")
    return replace(evolve(unit, event), known_from=meta.position, recorded_at=meta.recorded_at)


def evolve(unit: Unit, event: Any) -> Unit:
    """The unit after an event. A correction changes what it names from the very beginning."""
    match event:
        case UnitRenamed():
            return replace(unit, names=unit.names.change(event.on, event.name))
        case UnitMoved():
            return replace(unit, parents=unit.parents.change(event.on, event.parent))
        case UnitMerged():
            return replace(unit, merged_on=event.on, merged_into=event.into)
        case UnitClosed():
            return replace(unit, closed_on=event.on)
        case UnitCorrected():
            return replace(
                unit,
                kind=event.kind,
                credit_code=event.credit_code,
                poor_village=event.poor_village,
                division=event.division,
                names=unit.names if unit.names.last == event.name else Timeline.always(event.name),
                parents=unit.parents if unit.parents.last == event.parent else Timeline.always(event.parent),
            )
        case _:
            raise ValueError(f"{type(event).__name__} is not about a unit")


NAME = "{u}.names[width_bucket(CAST(:day AS date), {u}.name_since)]"
"""What a unit was called on ``:day``."""


def heirs(lens: Lens) -> str:
    """CTEs of which the last is ``heirs (unit, heir, since, until)``: what merged units became part of, as of ``:day``; on
    the days from ``since`` on and before ``until`` (None: still)."""
    known = lens.cut.known("u")
    return f"""merged (unit, heir, since, depth) AS (
    SELECT u.unit, u.merged_into, u.merged_on, 1 FROM units u WHERE {known} AND u.merged_on <= CAST(:day AS date)
    UNION SELECT h.unit, u.merged_into, GREATEST(h.since, u.merged_on), h.depth + 1 FROM merged h
    JOIN units u ON u.unit = h.heir AND {known} AND u.merged_on <= CAST(:day AS date) AND h.depth < 50),
heirs AS (SELECT unit, heir, since, lead(since) OVER (PARTITION BY unit ORDER BY depth) AS until FROM merged)"""


@dataclass(frozen=True, slots=True)
class UnitsWanted:
    """Which units are asked for: directly under ``parent`` ("": the roots, None: any), of a kind, whose name or code holds ``q``."""

    parent: str | None = None
    kind: UnitKind | None = None
    q: str | None = None
    unit: str | None = None


async def find(
    connection: AsyncConnection, lens: Lens, day: date, wanted: UnitsWanted, after: str, limit: int
) -> list[dict[str, Any]]:
    """At most ``limit`` units as they stood on a day, by code, later than the code ``after``. The tree is no secret."""
    above = ABOVE.format(day=":day")
    statement = f"""
WITH tree AS (
    SELECT u.unit, {NAME.format(u="u")} AS name, u.kind, u.parents[width_bucket(CAST(:day AS date), u.parent_since)] AS parent,
           {above} AS above, u.poor_village, u.credit_code, u.division,
           CASE WHEN u.merged_on <= CAST(:day AS date) THEN u.merged_into END AS merged_into,
           COALESCE(u.closed_on <= CAST(:day AS date), false) AS closed
    FROM units u WHERE {lens.cut.known("u")})
SELECT t.*, EXISTS (SELECT FROM tree c WHERE c.above = t.unit) AS has_children FROM tree t
WHERE t.unit > :after
  AND (CAST(:parent AS text) IS NULL OR t.above = CAST(:parent AS text))
  AND (CAST(:root AS boolean) IS NOT TRUE OR t.above IS NULL)
  AND (CAST(:kind AS text) IS NULL OR t.kind = CAST(:kind AS text))
  AND (CAST(:unit AS text) IS NULL OR t.unit = CAST(:unit AS text))
  AND (CAST(:q AS text) IS NULL OR t.name LIKE CAST(:q AS text) OR t.unit LIKE CAST(:q AS text))
ORDER BY t.unit LIMIT :limit"""
    values = lens.params() | {"day": day, "after": after, "limit": limit, "kind": wanted.kind}
    values |= {
        "unit": wanted.unit,
        "parent": wanted.parent or None,
        "root": wanted.parent == "",
        "q": like(wanted.q, anywhere=True),
    }
    rows = await ask(connection, statement, values)
    return [dict(row) | {"kind_name": ZH[UnitKind(row["kind"])]} for row in rows]
