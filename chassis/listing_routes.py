"""The two routes of a listing: one of its papers, and many page by page. What a paper is, the service's own types say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.cursor import Cursors
from chassis.etag import NOT_MODIFIED, conditional
from chassis.http import PageSize
from chassis.identity.wiring import session_key
from chassis.keys import derive
from chassis.listing import Listing, Reader, scope_of
from chassis.service import Tools


@dataclass(frozen=True, slots=True)
class Lists:
    """What the routes work with, at ``app.state.<service>``."""

    engine: AsyncEngine
    cursors: Cursors


@asynccontextmanager
async def open_lists(tools: Tools) -> AsyncIterator[Lists]:
    """An ``open_api`` of a service (:mod:`chassis.service`) that has listings and nothing else."""
    yield Lists(tools.engine, Cursors(derive(session_key(tools.settings), "cursor")))


def listing_routes(
    router: APIRouter, service: str, listing: Listing, *, one: type[Any], page: type[Any], status: type[StrEnum]
) -> None:
    """`GET /<listing>/{<key>}` answers ``one``; `GET /<listing>` answers ``page`` by due day, filtered by posting, person
    and ``status``. Scope: see :mod:`chassis.listing`."""
    many, key = listing.name, listing.key

    async def get_one(request: Request, who: Reader, id: str) -> Response:
        lists: Lists = getattr(request.app.state, service)
        async with lists.engine.connect() as connection:
            row = await listing.one(connection, who, id)
        return conditional(request, msgspec.json.encode(row), scope=scope_of(who))

    async def get_page(
        request: Request,
        who: Reader,
        limit: PageSize,
        posting: Annotated[str | None, Query(max_length=64)] = None,
        person: Annotated[str | None, Query(max_length=64, description="number of a cadre")] = None,
        status: status | None = None,  # type: ignore[valid-type]
        cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
    ) -> Response:
        lists: Lists = getattr(request.app.state, service)
        filters = {"posting": posting, "person": person, "status": status}
        async with lists.engine.connect() as connection:
            items, following = await listing.page(
                connection, who, lists.cursors, filters=filters, cursor=cursor, limit=limit
            )
        return conditional(request, msgspec.json.encode({"items": items, "next": following}), scope=scope_of(who))

    router.add_api_route(
        f"/{many}/{{id}}",
        get_one,
        response_model=one,
        responses=NOT_MODIFIED,
        name=key,
        description="One of them; 404 outside one's scope.",
    )
    router.add_api_route(
        f"/{many}",
        get_page,
        response_model=page,
        responses=NOT_MODIFIED,
        name=many,
        description="Those in one's scope, by due day.",
    )
