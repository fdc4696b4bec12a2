"""Two builds of one version must hold the same rows up to any position: names where they first do not."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.projection.builds import Build
from services.projection.cut import newest_cut
from services.projection.tables import metadata


@dataclass(frozen=True, slots=True)
class Unlike:
    """In ``table``, the row ``key`` (nothing personal) differs; ``rows`` rows do in that table."""

    table: str
    key: str
    rows: int


async def compare(connection: AsyncConnection, one: Build, other: Build) -> Unlike | None:
    """The first difference up to the position that both hold; None where there is none. Persons' names, which are not
    kept by position, are left out."""
    upto = min([(await newest_cut(connection, build.handler)).position for build in (one, other)])
    for table in metadata.sorted_tables:
        names = [column.name for column in table.columns]
        if "known_from" in names:
            since = "known_from"
            shown = ["CASE WHEN known_to <= :upto THEN known_to END" if n == "known_to" else n for n in names]
        elif "position" in names:
            since, shown = "position", names
        else:
            continue
        first, second = (
            f"SELECT {', '.join(shown)} FROM {build.schema}.{table.name} WHERE {since} <= :upto"
            for build in (one, other)
        )
        statement = text(f"""WITH d AS (({first} EXCEPT {second}) UNION ALL ({second} EXCEPT {first}))
            SELECT count(*) AS rows, min({names[0]}) AS key FROM d""")
        found = (await connection.execute(statement, {"upto": upto})).one()
        if found.rows:
            return Unlike(table.name, str(found.key), found.rows)
    return None
