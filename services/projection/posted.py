"""驻点人数 how many cadres serve in units and their subtrees on a day, and how many they sent, as known at a cut (R13)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from services.projection.lens import Lens
from services.projection.roster import Status, placed
from services.projection.scope import ABOVE
from services.projection.tables import ask

POSTED_VERSION = 1


@dataclass(frozen=True, slots=True)
class Posted:
    """People, each once: ``here`` serve in the unit or below it, ``away`` were sent by it or by one below it."""

    here: int = 0
    away: int = 0


async def posted(connection: AsyncConnection, lens: Lens, day: date, units: Iterable[str]) -> dict[str, Posted]:
    """For each of these units by code, those of whom something is visible."""
    statement = f"""
WITH RECURSIVE {placed(lens)},
above AS (SELECT u.unit, {ABOVE.format(day=":day")} AS above FROM units u WHERE {lens.cut.known("u")}),
below (root, unit) AS (
    SELECT x.unit, x.unit COLLATE "C" FROM unnest(CAST(:units AS text[])) AS x (unit)
    UNION SELECT b.root, a.unit FROM below b JOIN above a ON a.above = b.unit),
serving AS MATERIALIZED (SELECT person, sender, host FROM placed WHERE status = '{Status.SERVING.value}'),
here AS (SELECT b.root, count(DISTINCT s.person) AS n FROM below b JOIN serving s ON s.host = b.unit GROUP BY 1),
away AS (SELECT b.root, count(DISTINCT s.person) AS n FROM below b JOIN serving s ON s.sender = b.unit GROUP BY 1)
SELECT x.unit, COALESCE(here.n, 0) AS here, COALESCE(away.n, 0) AS away FROM unnest(CAST(:units AS text[])) AS x (unit)
LEFT JOIN here ON here.root = x.unit LEFT JOIN away ON away.root = x.unit"""
    values = lens.params() | {"day": day, "units": sorted(set(units))}
    return {row["unit"]: Posted(row["here"], row["away"]) for row in await ask(connection, statement, values)}
