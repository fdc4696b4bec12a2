"""What the tests of the thin chain speak of: one cadre who arrives at a village in division 990117."""

from datetime import date
from typing import Any

from xiapai_contracts.assessment import BASELINES, AbilityBaselineOpened
from xiapai_contracts.registry import POSTINGS, CadreArrived, PostingClosed, PostingCorrected, PostingEndedEarly
from xiapai_contracts.reporting import REPORTS, ReportScheduled
from xiapai_contracts.terms import Category, Mode, Tier

from ledger.deliver import Delivered
from tests.support.bench import delivered

ARRIVED, ENDS = date(2026, 3, 15), date(2028, 2, 29)


def arrival(posting: str = "P1", *, position: int = 1, **changes: Any) -> Delivered:
    """到岗."""
    said: dict[str, Any] = {
        "posting": posting,
        "on": ARRIVED,
        "person": "R1",
        "host": "VILLAGE",
        "sender": "BUREAU",
        "tier": Tier.DISTRICT,
        "category": Category.RURAL_GUIDE,
        "ends": ENDS,
    }
    return delivered(CadreArrived(**said | changes), f"posting-{posting}", POSTINGS, position)


def correction(posting: str = "P1", *, position: int = 2, **changes: Any) -> Delivered:
    """更正."""
    said: dict[str, Any] = {
        "posting": posting,
        "person": "R1",
        "tier": Tier.DISTRICT,
        "category": Category.RURAL_GUIDE,
        "sender": "BUREAU",
        "host": "VILLAGE",
        "starts": ARRIVED,
        "ends": ENDS,
        "basis": "广文〔2026〕3号",
        "mode": Mode.SECONDMENT,
        "duty": None,
        "direction": None,
        "sender_contact": None,
        "host_contact": None,
        "arrived_on": ARRIVED,
        "ended_on": None,
        "end_reason": None,
        "fields": ("arrived_on",),
    }
    return delivered(PostingCorrected(**said | changes), f"posting-{posting}", POSTINGS, position)


def early_end(posting: str = "P1", *, position: int = 3) -> Delivered:
    """提前结束."""
    event = PostingEndedEarly(posting=posting, on=date(2026, 5, 1))
    return delivered(event, f"posting-{posting}", POSTINGS, position)


def closed(posting: str = "P1", *, position: int = 4) -> Delivered:
    """办结."""
    return delivered(PostingClosed(posting=posting), f"posting-{posting}", POSTINGS, position)


def scheduled(report: str = "P1-1", *, position: int = 1, **changes: Any) -> Delivered:
    """汇报排定."""
    said: dict[str, Any] = {
        "report": report,
        "posting": report.rpartition("-")[0],
        "person": "R1",
        "sender": "BUREAU",
        "host": "VILLAGE",
        "number": 1,
        "period_starts": ARRIVED,
        "period_ends": date(2026, 5, 31),
        "due": date(2026, 6, 10),
        "category": Category.RURAL_GUIDE,
    }
    return delivered(ReportScheduled(**said | changes), f"report-{report}", REPORTS, position)


def opened(baseline: str = "P1", *, position: int = 1, **changes: Any) -> Delivered:
    """能力基线开启."""
    said: dict[str, Any] = {
        "baseline": baseline,
        "posting": baseline,
        "person": "R1",
        "sender": "BUREAU",
        "host": "VILLAGE",
        "opened_on": ARRIVED,
        "due": date(2026, 4, 14),
        "category": Category.RURAL_GUIDE,
    }
    return delivered(AbilityBaselineOpened(**said | changes), f"baseline-{baseline}", BASELINES, position)
