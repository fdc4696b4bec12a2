"""How a question over HTTP is looked at: who asks, what they have seen already, what was known when."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis.clock import ZONE, Clock
from chassis.cursor import Cursors
from chassis.described import AFTER, reads
from chassis.etag import conditional, etag
from chassis.http import after, format_positions, parse_positions
from chassis.identity.access import principal
from chassis.identity.principal import Principal
from chassis.problems import BadRequest, Conflict
from services.projection.builds import reading
from services.projection.cut import SOURCE, cut_at, newest_cut
from services.projection.lens import Lens
from services.projection.scope import Scope, scope_of
from services.projection.unit_names import named

PATIENCE_SECONDS = 5.0
_LOOK_SECONDS = (0.01, 0.1)


@dataclass(frozen=True, slots=True)
class Projection:
    """What routes and pages work with, at ``app.state.projection``."""

    engine: AsyncEngine
    clock: Clock
    cursors: Cursors


@dataclass(frozen=True, slots=True)
class Asking:
    """One question. ``known`` is a position, a moment of the ledger's time, or None for the newest; ``after`` what the
    asker has to see; ``scope`` whose eyes."""

    request: Request
    projection: Projection
    scope: Scope
    known: int | datetime | None
    after: int

    @property
    def today(self) -> date:
        return self.projection.clock.today()

    @asynccontextmanager
    async def look(self, known: int | None = None) -> AsyncIterator["Look"]:
        """One moment of the live build, once it holds what was asked for; ``known`` (a later page's) wins.

        Raises:
            Conflict: 409 ``not-yet-known``: it did not within five seconds.
            Unavailable: 503, the read models are being built.
        """
        wanted = self.known if known is None else known
        needed = max(self.after, wanted if isinstance(wanted, int) else 0)
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, _LOOK_SECONDS[0]
        while True:
            async with reading(self.projection.engine) as (connection, build):
                newest = await newest_cut(connection, build.handler)
                if newest.position >= needed:
                    cut = await cut_at(connection, newest, wanted)
                    yield Look(self, connection, Lens(cut, self.scope, self.today))
                    return
            if time.monotonic() >= deadline:
                raise Conflict("not-yet-known", headers={"Retry-After": "1"}, after=f"{SOURCE}@{needed}")
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, _LOOK_SECONDS[1])

    def query(self, name: str, *filters: object) -> str:
        """What a cursor belongs to: the query, its filters, who sees."""
        return "|".join((name, self.scope.tag, *(repr(one) for one in filters)))


@dataclass(frozen=True, slots=True)
class Look:
    """A question being answered in one transaction."""

    asking: Asking
    connection: AsyncConnection
    lens: Lens

    async def scope(self, day: date) -> dict[str, Any]:
        """The scope as an answer says it, with the unit's name."""
        answer = self.asking.scope.answer()
        if unit := answer.get("unit"):
            name = (await named(self.connection, self.lens, day, [unit])).get(unit)
            answer["text"] = f"{name or unit} 及其下级单位"
        return answer

    def answer(self, content: Mapping[str, Any]) -> Response:
        """The content with the vector that it reflects and its age; 304 where the asker has it already, the age apart."""
        cut = self.lens.cut
        whole = {**content, "positions": cut.positions}
        tag = etag(self.asking.scope.tag, msgspec.json.encode(whole), weak=True)
        body = msgspec.json.encode({**whole, "age_ms": cut.age_ms})
        headers = {"Position": format_positions(cut.positions)}
        return conditional(self.asking.request, body, scope=self.asking.scope.tag, tag=tag, headers=headers)


@reads(AFTER)
async def _asking(
    request: Request,
    who: Annotated[Principal, Depends(principal)],
    known: Annotated[str | None, Query(description="as known at these positions: registry@912", max_length=200)] = None,
    known_at: Annotated[
        str | None, Query(description="as known at this moment, or at these positions", max_length=200)
    ] = None,
    also: Annotated[str | None, Query(alias="after", description="as the header After", max_length=200)] = None,
) -> Asking:
    positions = after(request)
    if known and known_at:
        raise BadRequest("known-twice")
    if also:
        positions |= parse_positions(also)
    return Asking(
        request=request,
        projection=request.app.state.projection,
        scope=scope_of(who),
        known=_known(known or known_at),
        after=_position(positions),
    )


def _known(written: str | None) -> int | datetime | None:
    if not written:
        return None
    if "@" in written:
        return _position(parse_positions(written))
    try:
        # in a query, a plus that was not escaped arrives as a blank
        moment = datetime.fromisoformat(written.replace(" ", "+") if written[-6:-5] == " " else written)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=ZONE)).astimezone(UTC)
    except (ValueError, OverflowError):  # at the ends of the calendar there is no such moment in UTC
        raise BadRequest("known-malformed") from None


def _position(positions: Mapping[str, int]) -> int:
    others = positions.keys() - {SOURCE}
    if others:
        raise BadRequest("source-not-read", source=sorted(others)[0], known=SOURCE)
    return positions.get(SOURCE, 0)


Asks = Annotated[Asking, Depends(_asking)]
"""Dependency of a route: the question."""
