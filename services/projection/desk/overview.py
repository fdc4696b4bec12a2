"""概览 the first page: the counted figures of a half-year, and what is covered, by category and by township."""

from itertools import groupby
from typing import Any

from fastapi import APIRouter, Request, Response
from xiapai_contracts.terms import TOWNSHIP_LEVEL, ZH, Tier, UnitKind

from services.projection.blanks import Blank
from services.projection.coverage import Coverage, coverage
from services.projection.desk.looking import InHalf, Look
from services.projection.desk.pages import DeskRoute, page
from services.projection.desk.say import half_words
from services.projection.desk.texts import zh
from services.projection.figures import Figure, figures

router = APIRouter(route_class=DeskRoute, include_in_schema=False)

SHOWN = (
    UnitKind.VILLAGE,
    UnitKind.COMMUNITY,
    UnitKind.SCHOOL,
    UnitKind.TOWNSHIP_HOSPITAL,
    UnitKind.VILLAGE_CLINIC,
    UnitKind.ENTERPRISE,
)
"""The kinds of host below a township, in the order of the report."""


@router.get("/")
async def overview(request: Request, look: InHalf) -> Response:
    """The page."""
    assert look.half is not None
    found = await figures(look.connection, look.lens, look.period)
    covered = await coverage(look.connection, look.lens, look.period)
    reached = await coverage(look.connection, look.lens, look.period, Tier.DISTRICT)
    # how many hosts there are counts them all, how many are reached only what one may see: for the whole district alone
    # do the two make a share
    whole = look.lens.scope.kind == "all"
    totals = {kind["kind"]: kind["total"] for kind in covered.kinds if whole}
    townships = [row for row in reached.townships if whole or row["postings"]]
    return page(
        request,
        look.session,
        "overview.html",
        look=look,
        before=look.half.before,
        after=look.half.after,
        people=_people(found),
        hosts=[figure for figure in found if figure.blank.hosts],
        totals={f.blank.n: sum(totals.get(kind.value, 0) for kind in f.blank.hosts) for f in found if f.blank.hosts},
        basis=[figure for figure in found if figure.blank.document],
        coverage=Coverage(reached.kinds, townships, covered.categories),
        whole=whole,
        kinds=[kind for kind in reached.kinds if kind["kind"] in SHOWN],
        cells=_cells(reached),
        owed=owed_by(found),
        label=label,
        half_words=half_words,
        roster_of=lambda row: roster_of(look, row),
    )


def label(blank: Blank) -> str:
    """What a counted figure is called on a tile."""
    if blank.people is not None:
        return ZH[blank.people.category or blank.people.tier]
    if blank.hosts:
        return zh("township-level") if set(blank.hosts) == TOWNSHIP_LEVEL else ZH[blank.hosts[0]]
    return zh(f"label-{blank.document}")


def roster_of(look: Look, row: dict[str, Any]) -> str:
    """The roster of one category, as of the page's day."""
    day = "" if look.day == look.lens.today else look.day.isoformat()
    known = look.asked.known
    query = {"tier": row["tier"], "category": row["category"], "day": day, "known": known}
    return "/roster?" + "&".join(f"{name}={value}" for name, value in query.items() if value)


def owed_by(found: list[Figure]) -> list[tuple[str, list[Figure]]]:
    """Who owes which figures."""
    owed = sorted((f for f in found if f.value is None), key=lambda f: f.blank.owed_by)
    groups = [(who, list(of)) for who, of in groupby(owed, key=lambda f: f.blank.owed_by)]
    return sorted(groups, key=lambda group: group[1][0].blank.n)


def _people(found: list[Figure]) -> list[dict[str, Any]]:
    groups = []
    for tier in Tier:
        of = [f for f in found if f.blank.people is not None and f.blank.people.tier is tier]
        whole = next(f for f in of if f.blank.people is not None and f.blank.people.category is None)
        groups.append({"tier": tier.value, "whole": whole, "parts": [f for f in of if f is not whole]})
    return groups


def _cells(reached: Coverage) -> dict[tuple[str | None, str], tuple[int, int]]:
    cells = {(row["unit"], kind.value): (0, 0) for row in reached.townships for kind in SHOWN}
    for row in reached.townships:
        for kind in row["kinds"]:
            cells[row["unit"], kind["kind"]] = (kind["reached"], kind["total"])
    return cells
