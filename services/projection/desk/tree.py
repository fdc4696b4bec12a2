"""单位 the tree of units to walk through, with how many cadres serve in each part of it."""

from itertools import groupby
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse
from xiapai_contracts.terms import ZH, UnitKind

from chassis.problems import BadRequest, NotFound
from services.projection.desk.looking import Look, OnDay
from services.projection.desk.pages import HEADERS, DeskRoute, page, render
from services.projection.posted import Posted, posted
from services.projection.roster import Wanted, roster
from services.projection.unit_names import named
from services.projection.units import UnitsWanted, find

router = APIRouter(route_class=DeskRoute, include_in_schema=False)

_PAGE = 200
_OPTIONS = 12
_SERVING_SHOWN = 10
_DEEPEST = 50
_ORDER = {kind.value: place for place, kind in enumerate(UnitKind)}


@router.get("/units")
async def top(request: Request, look: OnDay, q: str = "", after: str = "") -> Response:
    """The roots of the tree, or the units whose name or code holds ``q``."""
    wanted = UnitsWanted(q=_short(q)) if q.strip() else UnitsWanted(parent="")
    groups, more = await _listed(look, wanted, after)
    return page(request, look.session, "units.html", look=look, q=q.strip(), groups=groups, more=more)


@router.get("/units/options")
async def options(look: OnDay, unit: str = "") -> Response:
    """Units to choose from while one is typed."""
    found = []
    if unit.strip():
        found = await find(look.connection, look.lens, look.day, UnitsWanted(q=_short(unit)), "", _OPTIONS)
    return HTMLResponse(render("unit_options.html", units=found), headers=dict(HEADERS))


@router.get("/units/{unit:path}")
async def unit(request: Request, look: OnDay, unit: str, after: str = "") -> Response:
    """One unit: where it lies, who serves in it, and the units under it."""
    found = await _one(look, _short(unit))
    if found is None:
        raise NotFound("not-found")
    groups, more = await _listed(look, UnitsWanted(parent=found["unit"]), after)
    wanted = Wanted(unit=found["unit"])
    serving, _ = await roster(look.connection, look.lens, look.day, wanted, ("", ""), _SERVING_SHOWN)
    return page(
        request,
        look.session,
        "unit.html",
        look=look,
        unit=found,
        above=await _above(look, found),
        into=await named(look.connection, look.lens, look.day, [found["merged_into"] or ""]),
        counts=(await posted(look.connection, look.lens, look.day, [found["unit"]])).get(found["unit"], Posted()),
        serving=serving,
        groups=groups,
        more=more,
    )


async def _listed(
    look: Look, wanted: UnitsWanted, after: str
) -> tuple[list[tuple[str, list[dict[str, Any]], int]], str | None]:
    """Units by kind, each with its counts, those with most cadres first, and how many of the kind have any; and where
    the next page begins."""
    found = await find(look.connection, look.lens, look.day, wanted, _short(after), _PAGE + 1)
    shown = found[:_PAGE]
    counts = await posted(look.connection, look.lens, look.day, (one["unit"] for one in shown))
    rows = [one | {"counts": counts.get(one["unit"], Posted())} for one in shown]
    rows.sort(key=lambda one: (_ORDER[one["kind"]], -one["counts"].here, -one["counts"].away, one["unit"]))
    groups = []
    for kind, units in groupby(rows, key=lambda one: str(one["kind"])):
        of = list(units)
        groups.append((ZH[UnitKind(kind)], of, sum(one["counts"] != Posted() for one in of)))
    return groups, shown[-1]["unit"] if len(found) > _PAGE else None


async def _one(look: Look, code: str) -> dict[str, Any] | None:
    found = await find(look.connection, look.lens, look.day, UnitsWanted(unit=code), "", 1)
    return found[0] if found else None


async def _above(look: Look, unit: dict[str, Any]) -> list[dict[str, Any]]:
    """The way from the root to a unit, without it."""
    way: list[dict[str, Any]] = []
    above = unit["above"]
    while above and len(way) < _DEEPEST:
        one = await _one(look, above)
        if one is None:
            break
        way.insert(0, one)
        above = one["above"]
    return way


def _short(written: str) -> str:
    if len(written) > 100:
        raise BadRequest("desk-address-wrong")
    return written.strip()
