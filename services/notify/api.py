"""The API of notify: reminders, one and many.

As known from notify's own topic: what was recorded a moment ago may still be on its way. Scope: see
:mod:`chassis.listing`. A department sees those of its categories; ``category`` is null where the event did not say it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from fastapi import APIRouter
from xiapai_contracts.terms import Category

from chassis.listing_routes import listing_routes
from services.notify.reminders import LISTED


class Status(StrEnum):
    """TO_SEND: 待发, also where no webhook is set. DELIVERED: 已送达. FAILED: 未送达, given up. LAPSED: 过期不发, it would come
    too late."""

    TO_SEND = "TO_SEND"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    LAPSED = "LAPSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """提醒, a reminder of the report or baseline ``about``, due on ``due``. ``subject`` is a code
    of a list that grows. ``reason`` says why it failed (`http-500`) or lapsed (`past-due`)."""

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
    category: Category | None


@dataclass(frozen=True, slots=True)
class Reminders:
    """A page, by due day; ``next`` is the cursor of the page after it, null on the last one."""

    items: list[Reminder]
    next: str | None


router = APIRouter(prefix="/api/notify", tags=["notify"])
listing_routes(router, "notify", LISTED, one=Reminder, page=Reminders, status=Status)
