"""What the read models say of themselves to Prometheus: how far they are, and how old."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.measures import Measure
from services.projection.builds import live
from services.projection.cut import SOURCE, newest_cut


async def _position(connection: AsyncConnection) -> Sequence[tuple[str, int]]:
    build = await live(connection)
    return [] if build is None else [(SOURCE, (await newest_cut(connection, build.handler)).position)]


async def _age(connection: AsyncConnection) -> Sequence[tuple[str, float]]:
    build = await live(connection)
    cut = None if build is None else await newest_cut(connection, build.handler)
    return [] if cut is None or cut.age_ms is None else [(SOURCE, cut.age_ms / 1000)]


MEASURES = (
    Measure("xiapai_read_model_position", "the source's events that answers reflect", _position, ("source",)),
    Measure("xiapai_read_model_age_seconds", "how old answers are", _age, ("source",)),
)
