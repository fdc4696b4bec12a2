"""The API of reporting: reports that are owed, one and many.

Reports as known from reporting's own topic: what was recorded a moment ago may still be on its way. Scope: see
:mod:`chassis.listing`.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.cursor import Cursors
from chassis.etag import conditional
from chassis.http import PageSize
from chassis.listing import Reader, scope_of
from services.reporting.due_reports import DUE_REPORTS

router = APIRouter(prefix="/api/reporting", tags=["reporting"])


class Status(StrEnum):
    """SCHEDULED: owed by its due day (已排定)."""

    SCHEDULED = "SCHEDULED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """三方汇报, a three-party report (R17). ``number`` counts the posting's reports from 1; all days are included."""

    report: str
    posting: str
    person: str
    sender: str
    host: str
    number: int
    period_starts: date
    period_ends: date
    due: date
    status: Status


@dataclass(frozen=True, slots=True)
class Reports:
    """A page, by due day; ``next`` is the cursor of the page after it, null on the last one."""

    items: list[Report]
    next: str | None


@dataclass(frozen=True, slots=True)
class Context:
    """What the routes work with."""

    engine: AsyncEngine
    cursors: Cursors


@router.get("/reports/{report}", response_model=Report)
async def report(request: Request, who: Reader, report: str) -> Response:
    """One report; 404 outside one's scope."""
    context: Context = request.app.state.reporting
    async with context.engine.connect() as connection:
        row = await DUE_REPORTS.one(connection, who, report)
    return conditional(request, msgspec.json.encode(row), scope=scope_of(who))


@router.get("/reports", response_model=Reports)
async def reports(
    request: Request,
    who: Reader,
    limit: PageSize,
    posting: Annotated[str | None, Query(max_length=64)] = None,
    person: Annotated[str | None, Query(max_length=64, description="number of a cadre")] = None,
    status: Status | None = None,
    cursor: str | None = None,
) -> Response:
    """The reports in one's scope, by due day."""
    context: Context = request.app.state.reporting
    filters = {"posting": posting, "person": person, "status": status}
    async with context.engine.connect() as connection:
        items, following = await DUE_REPORTS.page(
            connection, who, context.cursors, filters=filters, cursor=cursor, limit=limit
        )
    body = msgspec.json.encode({"items": items, "next": following})
    return conditional(request, body, scope=scope_of(who))
