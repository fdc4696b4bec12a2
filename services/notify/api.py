"""The API of notify: reminders, one and many.

Reminders as known from notify's own topic: what was recorded a moment ago may still be on its way. Scope: see
:mod:`chassis.listing`.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.cursor import Cursors
from chassis.etag import conditional
from chassis.http import PageSize
from chassis.listing import Reader, scope_of
from services.notify.reminders import LISTED

router = APIRouter(prefix="/api/notify", tags=["notify"])


class Status(StrEnum):
    """TO_SEND: 待发, also where no webhook is set. DELIVERED: 已送达. FAILED: 未送达, given up."""

    TO_SEND = "TO_SEND"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """提醒, a reminder of the report or baseline ``about``, due on ``due``. ``subject`` is a code
    of a list that grows. ``reason`` says why it failed (`http-500`)."""

    reminder: str
    person: str
    posting: str
    subject: str
    about: str
    due: date
    status: Status
    attempts: int
    delivered_at: datetime | None
    reason: str | None
    sender: str
    host: str


@dataclass(frozen=True, slots=True)
class Reminders:
    """A page, by due day; ``next`` is the cursor of the page after it, null on the last one."""

    items: list[Reminder]
    next: str | None


@dataclass(frozen=True, slots=True)
class Context:
    """What the routes work with."""

    engine: AsyncEngine
    cursors: Cursors


@router.get("/reminders/{reminder}", response_model=Reminder)
async def reminder(request: Request, who: Reader, reminder: str) -> Response:
    """One reminder; 404 outside one's scope."""
    context: Context = request.app.state.notify
    async with context.engine.connect() as connection:
        row = await LISTED.one(connection, who, reminder)
    return conditional(request, msgspec.json.encode(row), scope=scope_of(who))


@router.get("/reminders", response_model=Reminders)
async def reminders(
    request: Request,
    who: Reader,
    limit: PageSize,
    posting: Annotated[str | None, Query(max_length=64)] = None,
    person: Annotated[str | None, Query(max_length=64, description="number of a cadre")] = None,
    status: Status | None = None,
    cursor: str | None = None,
) -> Response:
    """The reminders in one's scope, by due day."""
    context: Context = request.app.state.notify
    filters = {"posting": posting, "person": person, "status": status}
    async with context.engine.connect() as connection:
        items, following = await LISTED.page(
            connection, who, context.cursors, filters=filters, cursor=cursor, limit=limit
        )
    body = msgspec.json.encode({"items": items, "next": following})
    return conditional(request, body, scope=scope_of(who))
