"""The query API: every answer says whose eyes it is for, the vector that it reflects, and its age."""

from collections.abc import AsyncGenerator
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.responses import StreamingResponse
from xiapai_contracts.terms import Category, Tier, UnitKind

from chassis.days import Day
from chassis.etag import NOT_MODIFIED
from chassis.http import PageSize
from chassis.identity.access import principal
from chassis.problems import Forbidden, NotFound, Unprocessable
from services.projection import answers
from services.projection.blanks import BLANKS
from services.projection.coverage import COVERAGE_VERSION, coverage
from services.projection.cut import SOURCE
from services.projection.desk.changes import LIFE_SECONDS, Watch
from services.projection.figures import FIGURES_VERSION, Period, events_behind, figures
from services.projection.halfyear import HalfYear
from services.projection.looking import Asks
from services.projection.roster import ROSTER_VERSION, Status, Wanted, history, roster
from services.projection.units import UNITS_VERSION, UnitsWanted, find

router = APIRouter(prefix="/api/query", tags=["query 查询"])

_PLAIN = r"^[^\x00-\x1f]*$"
Code = Annotated[str, Path(max_length=64, pattern=_PLAIN)]
Words = Annotated[str | None, Query(max_length=64, pattern=_PLAIN)]
AsOf = Annotated[Day | None, Query(description="valid on this day; today, or the half-year's last day, without it")]
Cursor = Annotated[str | None, Query(description="`next` of the page before")]


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


async def _half_of_path(period: Annotated[str, Path(description="a half-year, such as 2026H1")]) -> HalfYear:
    return _half(period)


def _half(period: str) -> HalfYear:
    half = HalfYear.read(period)
    if half is None:
        raise Unprocessable("period-malformed")
    return half


Half = Annotated[HalfYear, Depends(_half_of_path)]


def _period(half: HalfYear, as_of: date | None) -> Period:
    day = as_of or half.last
    if not half.first <= day <= half.last:
        raise Unprocessable("as-of-outside-period", period=half, first=half.first, last=half.last)
    return Period(half.first, day)


@router.get("/situation/{period}", response_model=answers.Situation, responses=NOT_MODIFIED)
async def situation(half: Half, asking: Asks, as_of: AsOf = None) -> Response:
    """情况汇报: the 42 figures of a half-year, counted (1-24) or owed."""
    period = _period(half, as_of)
    async with asking.look() as look:
        filled = await figures(look.connection, look.lens, period)
        return look.answer(
            {
                "period": str(half),
                "as_of": period.day,
                "known_at": look.lens.cut.positions,
                "scope": await look.scope(asking.today),
                "query_version": FIGURES_VERSION,
                "figures": [figure.answer() for figure in filled],
            }
        )


@router.get("/situation/{period}/figures/{n}/events", response_model=answers.Lineage, responses=NOT_MODIFIED)
async def lineage(
    half: Half, n: int, asking: Asks, limit: PageSize, as_of: AsOf = None, cursor: Cursor = None
) -> Response:
    """数据溯源: the events behind one figure, in the order of the ledger."""
    period = _period(half, as_of)
    blank = next((blank for blank in BLANKS if blank.n == n), None)
    if blank is None:
        raise NotFound("figure-unknown", most=len(BLANKS))
    query = asking.query("lineage", FIGURES_VERSION, str(half), n, period.day)
    at, after = asking.projection.cursors.decode(query, cursor, tuple[int, int]) if cursor else (None, 0)
    async with asking.look(at) as look:
        (figure,) = await figures(look.connection, look.lens, period, [blank])
        found = await events_behind(look.connection, look.lens, blank, period, after, limit + 1)
        more = (look.lens.cut.position, found[limit - 1]["position"]) if len(found) > limit else None
        return look.answer(
            {
                "period": str(half),
                "as_of": period.day,
                "known_at": look.lens.cut.positions,
                "scope": await look.scope(asking.today),
                "query_version": FIGURES_VERSION,
                "figure": figure.answer(),
                "items": found[:limit],
                "next": asking.projection.cursors.encode(query, more) if more else None,
            }
        )


@router.get("/roster", response_model=answers.Roster, responses=NOT_MODIFIED)
async def who_is_where(
    asking: Asks,
    limit: PageSize,
    unit: Words = None,
    category: Category | None = None,
    tier: Tier | None = None,
    host_kind: UnitKind | None = None,
    q: Annotated[str | None, Query(max_length=40, pattern=_PLAIN, description="name, pinyin or initials")] = None,
    status: Annotated[list[Status | Literal["any"]] | None, Query(description="serving without it")] = None,
    as_of: AsOf = None,
    cursor: Cursor = None,
) -> Response:
    """花名册: who is where on a day. `unit` finds senders and hosts in the unit's subtree."""
    words = (q or "").strip() or None
    if words and asking.scope.masked:
        raise Forbidden("names-not-shown")
    given = status or [Status.SERVING]
    statuses = () if "any" in given else tuple(dict.fromkeys(one for one in given if isinstance(one, Status)))
    wanted = Wanted(unit, category, tier, host_kind, words, statuses)
    day = as_of or asking.today
    query = asking.query("roster", ROSTER_VERSION, wanted, day)
    place = asking.projection.cursors.decode(query, cursor, tuple[int, str, str]) if cursor else None
    async with asking.look(place[0] if place else None) as look:
        after = (place[1], place[2]) if place else ("", "")
        items, places = await roster(look.connection, look.lens, day, wanted, after, limit + 1)
        more = (look.lens.cut.position, *places[limit - 1]) if len(items) > limit else None
        return look.answer(
            {
                "as_of": day,
                "known_at": look.lens.cut.positions,
                "scope": await look.scope(asking.today),
                "query_version": ROSTER_VERSION,
                "items": items[:limit],
                "next": asking.projection.cursors.encode(query, more) if more else None,
            }
        )


@router.get("/roster/{posting:path}", response_model=answers.OnePosting, responses=NOT_MODIFIED)
async def one_posting(posting: Code, asking: Asks, as_of: AsOf = None) -> Response:
    """派驻: one posting on a day, and what became known of it, event by event."""
    day = as_of or asking.today
    async with asking.look() as look:
        wanted = Wanted(posting=posting, statuses=())
        items, _ = await roster(look.connection, look.lens, day, wanted, ("", ""), 1)
        if not items:
            raise NotFound("not-found")
        return look.answer(
            {
                "as_of": day,
                "known_at": look.lens.cut.positions,
                "scope": await look.scope(asking.today),
                "query_version": ROSTER_VERSION,
                "item": items[0],
                "history": await history(look.connection, look.lens, posting),
            }
        )


@router.get("/coverage", response_model=answers.Coverage, responses=NOT_MODIFIED)
async def reach(
    asking: Asks,
    period: Annotated[str | None, Query(description="a half-year; without it, the one day `as_of`")] = None,
    tier: Literal["CITY", "DISTRICT", "any"] = "DISTRICT",
    as_of: AsOf = None,
) -> Response:
    """覆盖面: hosts reached by kind and township, and people by category."""
    day = as_of or asking.today
    days = Period(day, day) if period is None else _period(_half(period), as_of)
    async with asking.look() as look:
        found = await coverage(look.connection, look.lens, days, None if tier == "any" else Tier(tier))
        return look.answer(
            {
                "period": period,
                "as_of": days.day,
                "known_at": look.lens.cut.positions,
                "scope": await look.scope(asking.today),
                "query_version": COVERAGE_VERSION,
                "kinds": found.kinds,
                "townships": found.townships,
                "categories": found.categories,
            }
        )


@router.get("/units", response_model=answers.Units, responses=NOT_MODIFIED)
async def units(
    asking: Asks,
    limit: PageSize,
    parent: Annotated[str | None, Query(max_length=64, pattern=_PLAIN, description="empty: the roots")] = None,
    kind: UnitKind | None = None,
    q: Words = None,
    as_of: AsOf = None,
    cursor: Cursor = None,
) -> Response:
    """单位树: units on a day, under a parent, of a kind, or by a part of name or code."""
    day = as_of or asking.today
    wanted = UnitsWanted(parent, kind, (q or "").strip() or None)
    query = asking.query("units", UNITS_VERSION, wanted, day)
    at, after = asking.projection.cursors.decode(query, cursor, tuple[int, str]) if cursor else (None, "")
    async with asking.look(at) as look:
        found = await find(look.connection, look.lens, day, wanted, after, limit + 1)
        more = (look.lens.cut.position, found[limit - 1]["unit"]) if len(found) > limit else None
        return look.answer(
            {
                "as_of": day,
                "known_at": look.lens.cut.positions,
                "query_version": UNITS_VERSION,
                "items": found[:limit],
                "next": asking.projection.cursors.encode(query, more) if more else None,
            }
        )


@router.get("/changes", response_class=EventStream, dependencies=[Depends(principal)])
async def changes(request: Request) -> EventStream:
    """变动: server-sent events `positions` with the vector that can be read, at once and whenever it moves."""
    state: Any = request.app.state
    if getattr(state, "desk_watch", None) is None:
        state.desk_watch = Watch(state.projection.engine)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return EventStream(_moves(state.desk_watch), headers=headers)


async def _moves(watch: Watch) -> AsyncGenerator[str]:
    async for seen in watch.follow(LIFE_SECONDS):
        if seen is None:
            yield ": \n\n"
        else:
            positions = {SOURCE: int(seen.partition(":")[2])}
            yield f"event: positions\ndata: {msgspec.json.encode({'positions': positions}).decode()}\n\n"
