"""The API of assessment: ability baselines, one and many.

Baselines as known from assessment's own topic: what was recorded a moment ago may still be on its way. Scope: see
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
from services.assessment.open_baselines import OPEN_BASELINES

router = APIRouter(prefix="/api/assessment", tags=["assessment"])


class Status(StrEnum):
    """OPEN: to be recorded by its due day (待填)."""

    OPEN = "OPEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """能力基线, an ability baseline (R28), asked for since ``opened_on``, the day of arrival."""

    baseline: str
    posting: str
    person: str
    sender: str
    host: str
    opened_on: date
    due: date
    status: Status


@dataclass(frozen=True, slots=True)
class Baselines:
    """A page, by due day; ``next`` is the cursor of the page after it, null on the last one."""

    items: list[Baseline]
    next: str | None


@dataclass(frozen=True, slots=True)
class Context:
    """What the routes work with."""

    engine: AsyncEngine
    cursors: Cursors


@router.get("/baselines/{baseline}", response_model=Baseline)
async def baseline(request: Request, who: Reader, baseline: str) -> Response:
    """One baseline; 404 outside one's scope."""
    context: Context = request.app.state.assessment
    async with context.engine.connect() as connection:
        row = await OPEN_BASELINES.one(connection, who, baseline)
    return conditional(request, msgspec.json.encode(row), scope=scope_of(who))


@router.get("/baselines", response_model=Baselines)
async def baselines(
    request: Request,
    who: Reader,
    limit: PageSize,
    posting: Annotated[str | None, Query(max_length=64)] = None,
    person: Annotated[str | None, Query(max_length=64, description="number of a cadre")] = None,
    status: Status | None = None,
    cursor: str | None = None,
) -> Response:
    """The baselines in one's scope, by due day."""
    context: Context = request.app.state.assessment
    filters = {"posting": posting, "person": person, "status": status}
    async with context.engine.connect() as connection:
        items, following = await OPEN_BASELINES.page(
            connection, who, context.cursors, filters=filters, cursor=cursor, limit=limit
        )
    body = msgspec.json.encode({"items": items, "next": following})
    return conditional(request, body, scope=scope_of(who))
