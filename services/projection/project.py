"""The read models' way in: one transaction of the live build, or of one that is being built, takes up a batch."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.registry import HEADS, KEYS, PERSONS, POSTINGS, UNITS

from chassis.seal import Kek
from ledger.deliver import Delivered, Handler
from services.projection import cadres, events, persons, postings, units
from services.projection.builds import Build, use

TOPICS = (UNITS, PERSONS, POSTINGS, KEYS, HEADS)


def handler(build: Build, kek: Kek) -> Handler:
    """What a worker runs for one build."""

    async def apply(connection: AsyncConnection, delivered: Sequence[Delivered]) -> None:
        await use(connection, build)
        await project(connection, delivered, kek)

    return Handler(build.handler, TOPICS, apply)


async def project(connection: AsyncConnection, delivered: Sequence[Delivered], kek: Kek) -> None:
    """Take up a batch of any topics into the tables on the search path; a stream's events stand in order."""
    by_topic: dict[str, list[Delivered]] = {}
    for item in delivered:
        by_topic.setdefault(item.topic, []).append(item)
    of_units, of_persons, of_postings = (by_topic.get(topic.name, []) for topic in (UNITS, PERSONS, POSTINGS))
    await units.project(connection, of_units)
    await persons.project(connection, of_persons, kek)
    await persons.project_keys(connection, by_topic.get(KEYS.name, []), kek)
    await cadres.project(connection, of_persons)
    await postings.project(connection, of_postings)
    await events.project(connection, [*of_units, *of_persons, *of_postings])
