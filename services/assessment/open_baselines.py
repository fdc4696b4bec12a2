"""哪些能力基线待填: which ability baselines are to be recorded, and by when. Fed by assessment's own topic."""

from collections.abc import Sequence

from sqlalchemy import Column, Date, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.assessment import BASELINES, AbilityBaselineOpened

from chassis.listing import Listing
from ledger.deliver import Delivered, Handler

metadata = MetaData()

open_baselines = Table(
    "open_baselines",
    metadata,
    Column("baseline", Text, primary_key=True),
    Column("posting", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("due", Date, nullable=False),
    Column("status", Text, nullable=False),
    Column("category", Text),
)

OPEN_BASELINES = Listing("baselines", open_baselines, key="baseline")


async def project(connection: AsyncConnection, events: Sequence[Delivered]) -> None:
    """Write the rows of a batch. A baseline is opened once, so a row that is there already stays."""
    rows = [
        {
            "baseline": event.baseline,
            "posting": event.posting,
            "person": event.person,
            "sender": event.sender,
            "host": event.host,
            "opened_on": event.opened_on,
            "due": event.due,
            "status": "OPEN",
            "category": event.category,
        }
        for event in (delivered.event for delivered in events)
        if isinstance(event, AbilityBaselineOpened)
    ]
    if rows:
        await connection.execute(insert(open_baselines).on_conflict_do_nothing(), rows)


PROJECTION = Handler("assessment-open-baselines", (BASELINES,), project)
