"""What reporting makes known: three-party reports (三方汇报, R17)."""

from datetime import date

from xiapai_contracts.event import added, event
from xiapai_contracts.terms import Category
from xiapai_contracts.topic import Topic


@event("report.scheduled", version=2, upcasts={1: added("category", None)})
class ReportScheduled:
    """汇报排定: the cadre of ``posting`` owes the report for the period that ends on ``period_ends`` by ``due`` (R17).

    ``number`` counts the posting's reports from 1. ``category`` is the posting's on arrival; None where version 1 said it.
    """

    report: str
    posting: str
    person: str
    sender: str
    host: str
    number: int
    period_starts: date
    period_ends: date
    due: date
    category: Category | None = None


REPORTS = Topic(
    name="reporting.reports",
    owner="reporting",
    partitions=6,
    events=(ReportScheduled,),
    about="三方汇报 three-party reports",
)
HEADS = Topic(
    name="reporting.heads",
    owner="reporting",
    partitions=1,
    retention_hours=24,
    about="进度 how far reporting's ledger has been published",
)
TOPICS = (REPORTS, HEADS)
