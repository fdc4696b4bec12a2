"""导入 the office's way in: the page from which the browser hands a workbook to the registry's own API."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from chassis.identity.access import require
from chassis.identity.principal import Principal, Role
from services.projection.desk.looking import LoggedIn
from services.projection.desk.pages import DeskRoute, page

router = APIRouter(route_class=DeskRoute, include_in_schema=False)


@router.get("/import")
async def importing(
    request: Request, session: LoggedIn, who: Annotated[Principal, Depends(require(Role.OFFICE))]
) -> Response:
    """The page; 403 for everybody but the office."""
    return page(request, session, "import.html")
