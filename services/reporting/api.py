"""The API of reporting: reports that are owed, one and many.

As known from reporting's own topic: what was recorded a moment ago may still be on its way. Scope: see
:mod:`chassis.listing`. A department sees those of its categories; ``category`` is null where the event did not say it.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from fastapi import APIRouter
from xiapai_contracts.terms import Category

from chassis.listing_routes import listing_routes
from services.reporting.due_reports import DUE_REPORTS


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
    category: Category | None
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


router = APIRouter(prefix="/api/reporting", tags=["reporting"])
listing_routes(router, "reporting", DUE_REPORTS, one=Report, page=Reports, status=Status)
