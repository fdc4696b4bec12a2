"""One figure opened: the postings that it counts, and of each the events that it is made of (lineage)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from chassis.problems import BadRequest, NotFound
from services.projection.blanks import BLANKS, Blank
from services.projection.desk.looking import InHalf, Look
from services.projection.desk.overview import label
from services.projection.desk.pages import DeskRoute, page
from services.projection.desk.say import half_words
from services.projection.events import of_streams
from services.projection.figures import figures, postings_behind
from services.projection.roster import Wanted, roster

router = APIRouter(route_class=DeskRoute, include_in_schema=False)

_PAGE = 20


@router.get("/figures/{n}")
async def figure(request: Request, look: InHalf, n: str, after: str = "") -> Response:
    """The page, or (``after`` a posting) the next part of its list."""
    blank = next((one for one in BLANKS if str(one.n) == n), None)
    if blank is None:
        raise NotFound("not-found")
    if len(after) > 64:
        raise BadRequest("desk-address-wrong")
    filled = (await figures(look.connection, look.lens, look.period, [blank]))[0]
    items, more = await _behind(look, blank, after) if blank.counted else ([], None)
    return page(
        request,
        look.session,
        "figure_rows.html" if after and request.headers.get("hx-request") == "true" else "figure.html",
        look=look,
        figure=filled,
        label=label(blank) if blank.counted else None,
        items=items,
        more=None if more is None else look.to(f"/figures/{blank.n}", after=more),
        continued=bool(after),
        half_words=half_words,
    )


async def _behind(look: Look, blank: Blank, after: str) -> tuple[list[dict[str, Any]], str | None]:
    """Postings with their events, and where the next part begins."""
    codes = await postings_behind(look.connection, look.lens, blank, look.period, after, _PAGE + 1)
    shown = codes[:_PAGE]
    wanted = Wanted(statuses=(), postings=tuple(shown))
    rows, _ = await roster(look.connection, look.lens, look.day, wanted, ("", ""), _PAGE)
    events = await of_streams(look.connection, look.lens, [f"posting-{code}" for code in shown])
    items = [row | {"events": events.get(f"posting-{row['posting']}", [])} for row in rows]
    return sorted(items, key=lambda item: str(item["posting"])), shown[-1] if len(codes) > _PAGE else None
