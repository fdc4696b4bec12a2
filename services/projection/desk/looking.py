"""Who looks at a page, and through what: the session, the lens, the day or half-year, and how that stands in addresses."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import ZONE
from chassis.days import is_meant
from chassis.identity.login import current_session
from chassis.identity.session import Session
from chassis.problems import BadRequest
from services.projection.builds import reading
from services.projection.cut import cut_at, newest_cut
from services.projection.desk import say
from services.projection.desk.texts import zh
from services.projection.figures import Period
from services.projection.halfyear import HalfYear
from services.projection.lens import Lens
from services.projection.looking import Projection
from services.projection.scope import scope_of
from services.projection.unit_names import named

LoggedIn = Annotated[Session, Depends(current_session)]
"""The session of whoever looks; without one the browser is sent to the login and comes back."""

_WRITING = timedelta(days=31)
"""So long after its end, a half-year is the one that is reported on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for: a day and a knowledge, as they were written; empty where nothing was."""

    half: str = ""
    day: str = ""
    known: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One page being looked at. ``half`` is there on pages about a half-year; ``scope`` says in words whose eyes."""

    session: Session
    projection: Projection
    connection: AsyncConnection
    lens: Lens
    day: date
    scope: str
    asked: Asked
    half: HalfYear | None = None

    @property
    def period(self) -> Period:
        assert self.half is not None
        return Period(self.half.first, self.day)

    @property
    def positions(self) -> str:
        return ",".join(f"{name}@{at}" for name, at in self.lens.cut.positions.items())

    @property
    def age(self) -> str:
        return say.age(self.lens.cut.age_ms)

    @property
    def moves(self) -> bool:
        """Whether the page shows the newest there is, so that it should follow what comes."""
        return not self.asked.known

    def to(self, path: str, **more: str | int | None) -> str:
        """An address that keeps the day and the knowledge."""
        half = {} if self.half is None else {"half": str(self.half)}
        values = half | {"day": self.asked.day, "known": self.asked.known} | more
        query = urlencode({name: value for name, value in values.items() if value not in (None, "")})
        return f"{path}?{query}" if query else path


async def asked(half: str = "", day: str = "", known: str = "") -> Asked:
    """From an address or, with the same names, from a form."""
    return Asked(half.strip(), day.strip(), known.strip())


async def looking(request: Request, session: LoggedIn, asked: Annotated[Asked, Depends(asked)]) -> AsyncIterator[Look]:
    """Dependency of a page about one day: today where the address says none."""
    async for look in look_through(request, session, asked):
        yield look


async def look_through(request: Request, session: Session, asked: Asked) -> AsyncIterator[Look]:
    """One read-only transaction for the whole page, so that all on it shows one cut."""
    projection: Projection = request.app.state.projection
    known = _known(asked.known)
    day = _day(asked.day)
    today = projection.clock.today()
    scope = scope_of(session.principal)
    async with reading(projection.engine) as (connection, build):
        cut = await cut_at(connection, await newest_cut(connection, build.handler), known)
        lens = Lens(cut, scope, today)
        words = scope.text
        if scope.kind == "unit":
            name = (await named(connection, lens, today, [scope.unit])).get(scope.unit, scope.unit)
            words = zh("scope-unit", name=name)
        yield Look(session, projection, connection, lens, day or today, words, asked)


async def looking_at_half(look: Annotated[Look, Depends(looking)], request: Request) -> Look:
    """Dependency of a page about a half-year: that of the path or the address, else the one that is reported on."""
    written = request.path_params.get("half") or look.asked.half
    half = HalfYear.read(written) if written else HalfYear.of(look.lens.today - _WRITING)
    if half is None:
        raise BadRequest("desk-half-wrong")
    day = min(half.last, max(half.first, look.day)) if look.asked.day else half.last
    return Look(look.session, look.projection, look.connection, look.lens, day, look.scope, look.asked, half)


OnDay = Annotated[Look, Depends(looking)]
InHalf = Annotated[Look, Depends(looking_at_half)]


def _day(written: str) -> date | None:
    try:
        day = date.fromisoformat(written) if written else None
    except ValueError:
        raise BadRequest("desk-day-wrong") from None
    if day is not None and not is_meant(day):
        raise BadRequest("desk-day-wrong")
    return day


def _known(written: str) -> int | datetime | None:
    """A position (``912``, ``registry@912``), or a moment in the district's time."""
    if not written:
        return None
    position = written.removeprefix("registry@")
    if position.isascii() and position.isdigit() and len(position) < 19:
        return int(position)
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise BadRequest("desk-known-wrong") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZONE)
