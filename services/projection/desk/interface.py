"""`/docs`: the interface of every service, described on one page from what this address serves, and nothing else."""

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from services.projection.desk.pages import HEADERS, render

router = APIRouter(include_in_schema=False)

_POLICY = (
    # The viewer sets styles and draws icons by itself; scripts come from this address alone.
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@router.get("/docs")
async def interface() -> Response:
    """Open to anybody, as the description itself is."""
    return HTMLResponse(render("docs.html"), headers={**HEADERS, "Content-Security-Policy": _POLICY})
