"""`/problems/CODE`, where the `type` of every problem leads: what the code means, for whoever builds on the interface."""

from html import escape

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

from chassis.catalogue import Catalogue
from chassis.problems import NotFound


def mount_problems(app: FastAPI, catalogue: Catalogue) -> None:
    """Answer `/problems` and `/problems/CODE` from this catalogue (of all services, at the one address of all)."""

    @app.get("/problems", include_in_schema=False)
    async def every() -> Response:
        return _page(catalogue, catalogue.codes())

    @app.get("/problems/{code}", include_in_schema=False)
    async def one(code: str) -> Response:
        if code not in catalogue:
            raise NotFound("route-not-found")
        return _page(catalogue, [code])


def _page(catalogue: Catalogue, codes: list[str]) -> Response:
    rows = []
    for code in codes:
        zh, en = catalogue.template(code) or ("", "")
        rows.append(
            f'<dt id="{escape(code)}"><code>{escape(code)}</code></dt><dd>{escape(zh)}<br><span lang="en">{escape(en)}</span></dd>'
        )
    return HTMLResponse(
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>问题代码 Problems</title><h1>问题代码 <small lang=en>Problems</small></h1><dl>{''.join(rows)}</dl></html>"
    )
