"""A list of papers in which a person and two units have a part, page by page, for those who may see them.

The services beside the registry do not have the tree of units: here a clerk or a leader sees what is sent or hosted by
exactly their own unit. A department sees what is of its categories: the category that the paper's event says. A paper
whose event says none is of no department. A cadre sees their own, and the rest but the operator see everything. Papers
outside the scope are as if they were not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import ColumnElement, FromClause, and_, false, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.cursor import Cursors
from chassis.identity.access import require
from chassis.identity.principal import Principal, Role
from chassis.problems import NotFound

Reader = Annotated[
    Principal,
    Depends(require(*(role for role in Role if role is not Role.OPERATOR))),
]
"""Who may ask at all; 403 for the operator, who sees no personal data."""

Row = dict[str, Any]


def scope_of(who: Principal) -> str:
    """What an ETag and a cursor are bound to: readers of one scope see the same."""
    match who.role:
        case Role.OFFICE | Role.INSPECTOR | Role.AUDITOR:
            return "all"
        case Role.CLERK | Role.LEADER:
            return f"unit {who.unit}"
        case Role.CADRE:
            return f"person {who.person}"
        case Role.DEPARTMENT:
            return f"categories {' '.join(sorted(who.categories))}"
        case _:
            return "nothing"


def seen(rows: FromClause, who: Principal) -> ColumnElement[bool]:
    """The condition under which a row is in the scope of ``who``."""
    match who.role:
        case Role.OFFICE | Role.INSPECTOR | Role.AUDITOR:
            return true()
        case Role.CLERK | Role.LEADER if who.unit is not None:
            return or_(rows.c.sender == who.unit, rows.c.host == who.unit)
        case Role.CADRE if who.person is not None:
            return and_(rows.c.person == who.person)
        case Role.DEPARTMENT:
            return rows.c.category.in_(sorted(who.categories))
        case _:
            return false()


@dataclass(frozen=True, slots=True)
class Listing:
    """``rows`` have the columns ``person``, ``sender``, ``host``, ``category``, ``due`` and ``key``, which identifies them and
    is text. They are listed by ``due``, then by ``key``."""

    name: str
    rows: FromClause
    key: str

    async def one(self, connection: AsyncConnection, who: Principal, value: str) -> Row:
        """The row of one key; NotFound also where it is outside the scope."""
        wanted = select(self.rows).where(self.rows.c[self.key] == value, seen(self.rows, who))
        row = (await connection.execute(wanted)).mappings().one_or_none()
        if row is None:
            raise NotFound("not-found")
        return dict(row)

    async def page(
        self,
        connection: AsyncConnection,
        who: Principal,
        cursors: Cursors,
        *,
        filters: Mapping[str, str | None],
        cursor: str | None,
        limit: int,
    ) -> tuple[list[Row], str | None]:
        """At most ``limit`` rows, and the cursor of the next page. ``filters`` are columns and the values they must
        have (None: any)."""
        said = {name: value for name, value in sorted(filters.items()) if value is not None}
        query = f"{self.name} 1 {scope_of(who)} {said}"
        key, due = self.rows.c[self.key], self.rows.c.due
        wanted = select(self.rows).where(seen(self.rows, who)).order_by(due, key).limit(limit + 1)
        for name, value in said.items():
            wanted = wanted.where(self.rows.c[name] == value)
        if cursor is not None:
            place: tuple[date, str] = cursors.decode(query, cursor, tuple[date, str])
            wanted = wanted.where(tuple_(due, key) > tuple_(*place))
        found: Sequence[Any] = (await connection.execute(wanted)).mappings().all()
        items = [dict(row) for row in found[:limit]]
        more = len(found) > limit
        return items, cursors.encode(query, (items[-1]["due"], items[-1][self.key])) if more else None
