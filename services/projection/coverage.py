"""覆盖面 which hosts are reached, by kind and by township, and with how many people of which category (R5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.terms import CATEGORIES, TOWNSHIP_LEVEL, ZH, Tier, UnitKind

from services.projection.effective import effective
from services.projection.figures import Period
from services.projection.lens import Lens
from services.projection.scope import ABOVE
from services.projection.tables import ask
from services.projection.units import NAME

COVERAGE_VERSION = 1

_TOWNSHIPS = ", ".join(f"'{kind.value}'" for kind in sorted(TOWNSHIP_LEVEL))


def _tree(lens: Lens) -> str:
    """CTEs ``tree`` and ``under (unit, township)``: the units on ``:day``, and the township that each lies in."""
    return f"""
tree AS (
    SELECT u.unit, u.kind, {NAME.format(u="u")} AS name, {ABOVE.format(day=":day")} AS above,
           u.merged_on <= CAST(:day AS date) IS TRUE AS merged, u.closed_on <= CAST(:day AS date) IS TRUE AS closed
    FROM units u WHERE {lens.cut.known("u")}),
under (unit, township) AS (
    SELECT unit, unit FROM tree WHERE kind IN ({_TOWNSHIPS}) AND NOT merged
    UNION SELECT t.unit, w.township FROM under w JOIN tree t ON t.above = w.unit
    WHERE t.kind NOT IN ({_TOWNSHIPS}) OR t.merged)"""


@dataclass(frozen=True, slots=True)
class Coverage:
    """``kinds``: hosts reached and hosts there are, by kind. ``townships``: the same by township, with people and
    postings; a host outside every township stands under None. ``categories``: people, postings and hosts."""

    kinds: list[dict[str, Any]]
    townships: list[dict[str, Any]]
    categories: list[dict[str, Any]]


async def coverage(connection: AsyncConnection, lens: Lens, period: Period, tier: Tier | None = None) -> Coverage:
    """Hosts reached by the postings effective in the period, of one tier or of both. How many hosts there are counts
    all units, whoever asks: the tree is no secret."""
    of_tier = "true" if tier is None else "tier = :tier"
    values = lens.params() | period.params() | {"tier": tier}
    by_place = f"""{effective(lens)},{_tree(lens)},
        there AS (SELECT w.township, t.kind, count(*) AS total FROM tree t LEFT JOIN under w ON w.unit = t.unit
            WHERE NOT t.merged AND NOT t.closed GROUP BY 1, 2),
        here AS (SELECT w.township, r.kind, count(DISTINCT r.host) AS reached FROM reached r
            LEFT JOIN under w ON w.unit = r.host WHERE {of_tier} AND r.kind IS NOT NULL GROUP BY 1, 2)
        SELECT COALESCE(a.township, b.township) AS township, n.name, n.kind AS township_kind,
            COALESCE(a.kind, b.kind) AS kind, COALESCE(b.reached, 0) AS reached, COALESCE(a.total, 0) AS total
        FROM there a FULL JOIN here b ON a.township IS NOT DISTINCT FROM b.township AND a.kind = b.kind
        LEFT JOIN tree n ON n.unit = COALESCE(a.township, b.township) ORDER BY 1 NULLS LAST, 4"""
    places = await ask(connection, by_place, values)
    by_people = f"""{effective(lens)},{_tree(lens)}
        SELECT w.township, count(DISTINCT r.person) AS people, count(DISTINCT r.posting) AS postings
        FROM reached r LEFT JOIN under w ON w.unit = r.host WHERE {of_tier} GROUP BY 1"""
    people = {row["township"]: row for row in await ask(connection, by_people, values)}
    by_category = f"""{effective(lens)},
        counts AS (SELECT tier, category, count(*) AS people FROM people GROUP BY 1, 2),
        hosted AS (SELECT tier, category, count(DISTINCT posting) AS postings, count(DISTINCT host) AS hosts FROM reached GROUP BY 1, 2)
        SELECT tier, category, COALESCE(people, 0) AS people, postings, hosts FROM hosted LEFT JOIN counts USING (tier, category)"""
    found = {(row["tier"], row["category"]): row for row in await ask(connection, by_category, values)}
    categories = [
        {"tier": t.value, "tier_name": ZH[t], "category": category.value, "category_name": ZH[category]}
        | _counts(found.get((t.value, category.value)), "people", "postings", "hosts")
        for t, of in CATEGORIES.items()
        if tier in (None, t)
        for category in of
    ]
    return Coverage(_by_kind(places), _by_township(places, people), categories)


def _counts(row: Any, *names: str) -> dict[str, int]:
    return {name: row[name] if row is not None else 0 for name in names}


def _by_kind(places: Any) -> list[dict[str, Any]]:
    found = []
    for kind in UnitKind:
        of = [place for place in places if place["kind"] == kind.value]
        if of:
            counts = {name: sum(place[name] for place in of) for name in ("reached", "total")}
            found.append({"kind": kind.value, "kind_name": ZH[kind]} | counts)
    return found


def _by_township(places: Any, people: Mapping[str | None, Any]) -> list[dict[str, Any]]:
    found: dict[str | None, dict[str, Any]] = {}
    for place in places:
        entry = found.setdefault(
            place["township"],
            {"unit": place["township"], "name": place["name"], "kind": place["township_kind"], "kinds": []}
            | _counts(people.get(place["township"]), "people", "postings"),
        )
        names = {"kind": place["kind"], "kind_name": ZH[UnitKind(place["kind"])]}
        entry["kinds"].append(names | {"reached": place["reached"], "total": place["total"]})
    return list(found.values())
