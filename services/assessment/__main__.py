"""考核, assessment: `python -m services.assessment api|relay|worker`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from xiapai_contracts.assessment import TOPICS
from xiapai_contracts.topics import CODEC

from chassis.listing_routes import open_lists
from chassis.process import main
from chassis.service import Service, Tools, Work
from services.assessment import open_baselines, rules
from services.assessment.api import router
from services.assessment.reactions import arrivals
from services.assessment.texts import TEXTS


@asynccontextmanager
async def open_work(tools: Tools) -> AsyncIterator[Work]:
    yield Work(
        handlers=(
            arrivals(tools.desk, tools.clock, rules.load(tools.settings.baseline_rules or rules.DEFAULT)),
            open_baselines.PROJECTION,
        )
    )


SERVICE = Service(
    name="assessment",
    codec=CODEC,
    routers=[router],
    open_api=open_lists,
    open_work=open_work,
    topics=TOPICS,
    texts=TEXTS,
    migrations=((Path(__file__).parent / "migrations", "assessment_schema"),),
)

if __name__ == "__main__":
    main(SERVICE)
