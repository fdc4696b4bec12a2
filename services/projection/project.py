"""The read models' way in: one transaction of the live build, or of one that is being built, takes up a batch."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.registry import HEADS, KEYS, PERSONS, POSTINGS, UNITS

from chassis.seal import Kek
from ledger.database import driver
from ledger.deliver import Delivered, Handler
from services.projection import cadres, events, persons, postings, units
from services.projection.builds import Build

TOPICS = (UNITS, PERSONS, POSTINGS, KEYS, HEADS)

# In one round trip what the build tells, and that the rest of the transaction means its tables. Plans are made anew,
# since a table that grows from nothing is soon another than the one that an old plan was made for.
_EPOCH = """
SELECT epoch, former, set_config('search_path', $2, true), set_config('plan_cache_mode', 'force_custom_plan', true)
  FROM public.builds WHERE id = $1
"""
_BORN = "UPDATE public.builds SET epoch = COALESCE(epoch, $2) WHERE id = $1 RETURNING epoch"
_SUCCEEDED = "UPDATE public.builds SET successor = $2 WHERE id = $1"


def handler(build: Build, kek: Kek) -> Handler:
    """What a worker runs for one build."""

    async def apply(connection: AsyncConnection, delivered: Sequence[Delivered]) -> None:
        ours = await _of_its_life(connection, build, delivered)
        if ours:
            await project(connection, ours, kek)

    return Handler(build.handler, TOPICS, apply)


async def _of_its_life(connection: AsyncConnection, build: Build, delivered: Sequence[Delivered]) -> list[Delivered]:
    """Those of the ledger's life that the build tells. Of a later life it only notes the name, so that another build
    is begun; of a build that was dropped, nothing is left to do."""
    raw = await driver(connection)
    row = await raw.fetchrow(_EPOCH, build.id, f"{build.schema}, public")
    if row is None:
        return []
    epoch = row["epoch"]
    if epoch is None:
        # Others may be at their first batch too: one names the life, and all keep to it.
        epoch = await raw.fetchval(_BORN, build.id, delivered[0].meta.epoch)
    others = {item.meta.epoch for item in delivered} - {epoch, *row["former"]}
    for other in others:
        await raw.execute(_SUCCEEDED, build.id, other)
    return [item for item in delivered if item.meta.epoch == epoch]


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
