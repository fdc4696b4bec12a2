"""情况汇报 the report's 42 blanks in its own order, with its own words around them, to read and to print."""

from itertools import groupby

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from services.projection.blanks import BLANKS
from services.projection.desk.looking import InHalf
from services.projection.desk.pages import HEADERS, DeskRoute, page
from services.projection.desk.say import half_words
from services.projection.desk.texts import SECTIONS
from services.projection.figures import FIGURES_VERSION, figures

router = APIRouter(route_class=DeskRoute, include_in_schema=False)


@router.get("/situation")
async def newest(look: InHalf) -> Response:
    """To the half-year that is reported on."""
    return RedirectResponse(look.to(f"/situation/{look.half}", half=None), headers=dict(HEADERS))


@router.get("/situation/{half}")
async def situation(request: Request, look: InHalf) -> Response:
    """The page."""
    assert look.half is not None
    found = await figures(look.connection, look.lens, look.period)
    lines = [(line, list(of)) for line, of in groupby(found, key=lambda one: one.blank.line)]
    return page(
        request,
        look.session,
        "situation.html",
        look=look,
        sections=[(SECTIONS[line], of) for line, of in lines],
        reported=sum(one.value is not None for one in found),
        all=len(BLANKS),
        version=FIGURES_VERSION,
        half_words=half_words,
        before=look.half.before,
        after=look.half.after,
    )
