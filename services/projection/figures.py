"""情况汇报 the figures of the situation report in a half-year, as of a day, as known at a cut, in somebody's scope.

Blanks 1-24 are counted, by the rules of :mod:`services.projection.effective`; the others are entered, and owed until
they are. A counted figure is 0 only where there are units and postings and none counts; else it is owed too.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.projection.blanks import BLANKS, Blank
from services.projection.effective import effective
from services.projection.lens import Lens
from services.projection.tables import ask

FIGURES_VERSION = 1
OWED = "未填报"

# A document's serial is a number: 广文〔2026〕10号 is newer than 广文〔2026〕9号.
CITED = """
    SELECT document, year, serial FROM effective WHERE tier = 'DISTRICT' AND year IS NOT NULL
    GROUP BY document, year, serial ORDER BY count(*) DESC, year DESC, serial DESC, document DESC LIMIT 1"""

_BEHIND = f"""cited AS ({CITED}),
        behind_hosts (posting, host) AS (SELECT posting, host FROM reached
            WHERE tier = 'DISTRICT' AND kind = ANY(CAST(:kinds AS text[]))
            UNION SELECT posting, stayed_at FROM reached
            WHERE tier = 'DISTRICT' AND kind = ANY(CAST(:kinds AS text[])))"""


@dataclass(frozen=True, slots=True)
class Period:
    """The days that a figure is about: from ``first`` to ``day``, both included."""

    first: date
    day: date

    def params(self) -> dict[str, date]:
        return {"first": self.first, "day": self.day}


@dataclass(frozen=True, slots=True)
class Figure:
    """One blank filled. ``value`` is raw, ``display`` as printed; None and 未填报 where it is owed."""

    blank: Blank
    value: int | None

    def answer(self) -> dict[str, Any]:
        owed = self.value is None
        return {
            "n": self.blank.n,
            "value": self.value,
            "display": OWED if owed else str(self.value),
            "unit": self.blank.unit,
            "state": "owed" if owed else "reported",
            "owed_by": self.blank.owed_by if owed else None,
            "phrase": self.blank.phrase,
        }


async def figures(
    connection: AsyncConnection, lens: Lens, period: Period, blanks: Iterable[Blank] = BLANKS
) -> list[Figure]:
    """The blanks filled, in their order."""
    statement = f"""{effective(lens)}
        SELECT 'exists', NULL, NULL, count(*) FROM (SELECT
            WHERE EXISTS (SELECT FROM units u WHERE {lens.cut.known("u")})
              AND EXISTS (SELECT FROM postings p WHERE {lens.cut.known("p")})) x
        UNION ALL SELECT 'people', tier, category, count(*) FROM people GROUP BY tier, category
        UNION ALL SELECT 'hosts', kind, NULL, count(DISTINCT host) FROM reached WHERE tier = 'DISTRICT' GROUP BY kind
        UNION ALL SELECT 'document', CAST(year AS text), NULL, serial FROM ({CITED}) d"""
    values = lens.params() | period.params()
    counts: Counter[tuple[str, str | None, str | None]] = Counter()
    year: int | None = None
    serial: int | None = None
    for what, one, other, count in await ask(connection, statement, values):
        if what == "document":
            year, serial = int(one), count
        else:
            counts[what, one, other] += count
    exists = counts["exists", None, None] > 0

    def fill(blank: Blank) -> int | None:
        if not exists:
            return None
        if blank.people is not None:
            of = blank.people
            return sum(
                count
                for (what, tier, category), count in counts.items()
                if what == "people" and tier == of.tier and of.category in (None, category)
            )
        if blank.hosts:
            return sum(counts["hosts", kind.value, None] for kind in blank.hosts)
        return {"year": year, "serial": serial}.get(blank.document)

    return [Figure(blank, fill(blank)) for blank in blanks]


async def events_behind(
    connection: AsyncConnection, lens: Lens, blank: Blank, period: Period, after: int, limit: int
) -> list[dict[str, Any]]:
    """At most ``limit`` events behind a counted figure, later than position ``after``, in order: those of every
    posting that it counts, or that a person it counts holds, and of the hosts that it counts."""
    hosts = (
        "UNION SELECT 'unit-' || h.host, NULL, h.host, NULL FROM (SELECT host FROM behind_hosts) h"
        if blank.hosts
        else ""
    )
    statement = f"""{effective(lens)},
        {_BEHIND},
        behind (stream, posting, host, person) AS (
            SELECT 'posting-' || e.posting, e.posting, e.hosts[cardinality(e.hosts)], e.person FROM effective e
            WHERE {_counts(blank)} {hosts})
        SELECT v.position, v.id, v.name, v.stream, v.version, v.at, v.recorded_at, v.by, b.posting, b.host, b.person
        FROM behind b JOIN events v ON v.stream = b.stream COLLATE "C"
        WHERE v.position > :after AND v.position <= :known ORDER BY v.position LIMIT :limit"""
    values = lens.params() | period.params() | _params(blank) | {"after": after, "limit": limit}
    found = await ask(connection, statement, values)
    return [dict(row) | ({"person": None} if lens.scope.masked else {}) for row in found]


async def postings_behind(
    connection: AsyncConnection, lens: Lens, blank: Blank, period: Period, after: str, limit: int
) -> list[str]:
    """At most ``limit`` of the postings that a counted figure counts, or that a person whom it counts holds: their
    codes, in order, later than the code ``after``."""
    statement = f"""{effective(lens)},
        {_BEHIND}
        SELECT e.posting FROM effective e WHERE {_counts(blank)} AND e.posting > :after ORDER BY e.posting LIMIT :limit"""
    values = lens.params() | period.params() | _params(blank) | {"after": after, "limit": limit}
    return [row["posting"] for row in await ask(connection, statement, values)]


def _params(blank: Blank) -> dict[str, Any]:
    values: dict[str, Any] = {"kinds": [kind.value for kind in blank.hosts]}
    if blank.people is not None:
        values |= {"tier": blank.people.tier.value, "category": blank.people.category}
    return values


def _counts(blank: Blank) -> str:
    """Which effective postings stand behind a blank."""
    if blank.people is not None:
        if blank.people.category is None:
            return "e.tier = :tier"
        return "(e.tier, e.person) IN (SELECT tier, person FROM people WHERE tier = :tier AND category = :category)"
    if blank.hosts:
        return "e.posting IN (SELECT posting FROM behind_hosts)"
    if blank.document:
        return "e.tier = 'DISTRICT' AND e.document = (SELECT document FROM cited)"
    return "false"
