"""汇报, reporting: `python -m services.reporting api|relay|worker`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from xiapai_contracts.reporting import TOPICS
from xiapai_contracts.topics import CODEC

from chassis.listing_routes import open_lists
from chassis.process import main
from chassis.service import Service, Tools, Work
from services.reporting import due_reports, rules
from services.reporting.api import router
from services.reporting.reactions import arrivals
from services.reporting.texts import TEXTS


@asynccontextmanager
async def open_work(tools: Tools) -> AsyncIterator[Work]:
    yield Work(
        handlers=(
            arrivals(tools.desk, tools.clock, rules.load(tools.settings.report_rules or rules.DEFAULT)),
            due_reports.PROJECTION,
        )
    )


SERVICE = Service(
    name="reporting",
    codec=CODEC,
    routers=[router],
    open_api=open_lists,
    open_work=open_work,
    topics=TOPICS,
    texts=TEXTS,
    migrations=((Path(__file__).parent / "migrations", "reporting_schema"),),
)

if __name__ == "__main__":
    main(SERVICE)
