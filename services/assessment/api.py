"""The API of assessment: ability baselines, one and many.

As known from assessment's own topic: what was recorded a moment ago may still be on its way. Scope: see
:mod:`chassis.listing`. A department sees those of its categories; ``category`` is null where the event did not say it.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from fastapi import APIRouter
from xiapai_contracts.terms import Category

from chassis.listing_routes import listing_routes
from services.assessment.open_baselines import OPEN_BASELINES


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
    category: Category | None
    opened_on: date
    due: date
    status: Status


@dataclass(frozen=True, slots=True)
class Baselines:
    """A page, by due day; ``next`` is the cursor of the page after it, null on the last one."""

    items: list[Baseline]
    next: str | None


router = APIRouter(prefix="/api/assessment", tags=["assessment"])
listing_routes(router, "assessment", OPEN_BASELINES, one=Baseline, page=Baselines, status=Status)
