"""汇报, reporting: `python -m services.reporting api|relay|worker`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from xiapai_contracts.reporting import TOPICS
from xiapai_contracts.topics import CODEC

from chassis.cursor import Cursors
from chassis.identity.wiring import session_key
from chassis.keys import derive
from chassis.process import main
from chassis.service import Service, Tools, Work
from services.reporting import due_reports, rules
from services.reporting.api import Context, router
from services.reporting.reactions import arrivals
from services.reporting.texts import TEXTS


@asynccontextmanager
async def open_api(tools: Tools) -> AsyncIterator[Context]:
    yield Context(tools.engine, Cursors(derive(session_key(tools.settings), "cursor")))


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
    router=router,
    open_api=open_api,
    open_work=open_work,
    topics=TOPICS,
    texts=TEXTS,
    migrations=((Path(__file__).parent / "migrations", "reporting_schema"),),
)

if __name__ == "__main__":
    main(SERVICE)
