"""What assessment makes known: ability baselines (能力对比考核, R28)."""

from datetime import date

from xiapai_contracts.event import added, event
from xiapai_contracts.terms import Category
from xiapai_contracts.topic import Topic


@event("baseline.opened", version=2, upcasts={1: added("category", None)})
class AbilityBaselineOpened:
    """能力基线开启: the host and the cadre are asked to record the ability at arrival, by day ``due`` (R28).

    ``category`` is the posting's on arrival; None where version 1 said it.
    """

    baseline: str
    posting: str
    person: str
    sender: str
    host: str
    opened_on: date
    due: date
    category: Category | None = None


BASELINES = Topic(
    name="assessment.baselines",
    owner="assessment",
    partitions=6,
    events=(AbilityBaselineOpened,),
    about="能力基线 ability baselines",
)
HEADS = Topic(
    name="assessment.heads",
    owner="assessment",
    partitions=1,
    retention_hours=24,
    about="进度 how far assessment's ledger has been published",
)
TOPICS = (BASELINES, HEADS)
