"""单位名称 what units were called on a day, as known at a cut. The tree is no secret."""

from collections.abc import Iterable
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from services.projection.lens import Lens
from services.projection.tables import ask
from services.projection.units import NAME


async def named(connection: AsyncConnection, lens: Lens, day: date, units: Iterable[str]) -> dict[str, str]:
    """The names of these units by code; one that is not known is left out."""
    statement = f"""SELECT u.unit, {NAME.format(u="u")} AS name FROM units u
        WHERE {lens.cut.known("u")} AND u.unit = ANY(CAST(:units AS text[]))"""
    values = lens.params() | {"day": day, "units": sorted(set(units))}
    return {row["unit"]: row["name"] for row in await ask(connection, statement, values)}
