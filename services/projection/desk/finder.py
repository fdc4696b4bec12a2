"""花名册 who is where: search and filters, page by page.

A name that is looked for comes in the body of a form and never stands in an address; everything else may.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from xiapai_contracts.terms import CATEGORIES, ZH, Category, Tier, UnitKind

from chassis.problems import BadRequest
from services.projection.desk.looking import Asked, LoggedIn, Look, OnDay, look_through
from services.projection.desk.pages import DeskRoute, page
from services.projection.roster import STATUS_ZH, Place, Status, Wanted, roster
from services.projection.unit_names import named
from services.projection.units import UnitsWanted, find

router = APIRouter(route_class=DeskRoute, include_in_schema=False)

_PAGE = 50
_LONGEST = 100
_FIELDS = ("q", "unit", "category", "tier", "host_kind", "status", "day", "known", "cursor")
_EVERY = "all"

E = TypeVar("E", Category, Tier, UnitKind, Status)


@dataclass(frozen=True, slots=True)
class Found:
    """What the form said, as it is shown again; and what it comes to. ``mistake`` is the code of a sentence."""

    said: Mapping[str, str]
    wanted: Wanted | None
    mistake: str | None = None


@router.get("/roster")
async def listed(request: Request, look: OnDay) -> Response:
    """The page, with the filters of its address; a name is not taken from there."""
    given = {name: request.query_params.get(name, "") for name in _FIELDS if name != "q"}
    return await _answer(request, look, given)


async def _looking_by_form(request: Request, session: LoggedIn) -> AsyncIterator[tuple[Look, dict[str, str]]]:
    form = await request.form()
    given = {name: value for name in _FIELDS if isinstance(value := form.get(name, ""), str)}
    asked = Asked(day=given["day"].strip(), known=given["known"].strip())
    async for look in look_through(request, session, asked):
        yield look, given


@router.post("/roster")
async def searched(
    request: Request, looked: Annotated[tuple[Look, dict[str, str]], Depends(_looking_by_form)]
) -> Response:
    """The page again, or the next part of its list, by the fields of its form."""
    look, given = looked
    answer = await _answer(request, look, given)
    if not given["cursor"]:
        kept = {name: value for name, value in given.items() if value and name not in ("q", "cursor")}
        answer.headers["HX-Push-Url"] = "/roster" + (f"?{urlencode(kept)}" if kept else "")
    return answer


async def _answer(request: Request, look: Look, given: Mapping[str, str]) -> Response:
    if any(len(given.get(name, "")) > _LONGEST for name in _FIELDS if name != "cursor"):
        raise BadRequest("desk-address-wrong")
    found = await _read(look, given)
    query = "desk 1 " + repr((look.lens.scope.tag, look.day, look.asked.known, sorted(found.said.items())))
    cursor = given.get("cursor", "")
    after: Place = look.projection.cursors.decode(query, cursor, tuple[str, str]) if cursor else ("", "")
    items: list[dict[str, Any]] = []
    places: list[Place] = []
    if found.wanted is not None:
        items, places = await roster(look.connection, look.lens, look.day, found.wanted, after, _PAGE + 1)
    more = look.projection.cursors.encode(query, places[_PAGE - 1]) if len(items) > _PAGE else None
    return page(
        request,
        look.session,
        "roster_rows.html" if cursor and request.headers.get("hx-request") == "true" else "roster.html",
        look=look,
        said=found.said,
        mistake=found.mistake,
        items=items[:_PAGE],
        more=more,
        continued=bool(cursor),
        filtered=any(value for name, value in found.said.items() if name != "status"),
        categories=[(tier, ZH[tier], [(c.value, ZH[c]) for c in of]) for tier, of in CATEGORIES.items()],
        tiers=[(tier.value, ZH[tier]) for tier in Tier],
        kinds=[(kind.value, ZH[kind]) for kind in UnitKind],
        statuses=[(status.value, word) for status, word in STATUS_ZH.items()],
    )


async def _read(look: Look, given: Mapping[str, str]) -> Found:
    """Read the filters. A unit is given by its code, its code and name, or its name alone where one bears it."""
    said = {name: given.get(name, "").strip() for name in ("q", "unit", "category", "tier", "host_kind", "status")}
    said["status"] = said["status"] or Status.SERVING.value
    if look.lens.scope.masked:
        said["q"] = ""  # whoever may not see names must not find by them either
    unit = None
    if said["unit"]:
        unit = await _unit(look, said["unit"])
        if unit is None:
            return Found(said, None, "unit-unknown")
        said["unit"] = " ".join(unit)
    wanted = Wanted(
        unit=unit[0] if unit else None,
        category=_of(Category, said["category"]),
        tier=_of(Tier, said["tier"]),
        host_kind=_of(UnitKind, said["host_kind"]),
        q=said["q"] or None,
        statuses=() if said["status"] == _EVERY else (_of(Status, said["status"]) or Status.SERVING,),
    )
    return Found(said, wanted)


async def _unit(look: Look, written: str) -> tuple[str, str] | None:
    code = written.split()[0]
    names = await named(look.connection, look.lens, look.day, [code])
    if code in names:
        return code, names[code]
    found = await find(look.connection, look.lens, look.day, UnitsWanted(q=written), "", 20)
    same = [unit for unit in found if unit["name"] == written] or found
    return (same[0]["unit"], same[0]["name"]) if len(same) == 1 else None


def _of(words: type[E], value: str) -> E | None:
    if not value:
        return None
    try:
        return words(value)
    except ValueError:
        raise BadRequest("desk-address-wrong") from None
