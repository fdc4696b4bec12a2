"""核对 compares what the read models answer with an independent fold of the ledger, and names the first difference."""

from collections.abc import AsyncIterator, Callable, Container, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xiapai_contracts.terms import Tier
from xiapai_contracts.topics import CODEC

from ledger import reader
from ledger.database import moment
from ledger.recorded import Recorded
from services.projection.audit_fold import Fold
from services.projection.blanks import COUNTED
from services.projection.builds import Build, builds, use
from services.projection.coverage import coverage
from services.projection.cut import newest_cut
from services.projection.figures import Period, figures
from services.projection.halfyear import HalfYear
from services.projection.lens import Lens
from services.projection.persons import ERASED
from services.projection.roster import Wanted, roster
from services.projection.scope import Scope

_PAGE = 5000
_PORTION = 5000
_COMPARED = (
    "person", "tier", "category", "sender", "host", "status", "starts", "ends", "arrived_on", "ended_on", "end_reason",
    "basis",
)  # fmt: skip

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is to do."""

Events = Callable[[int], AsyncIterator[Recorded]]
"""The events of the registry's ledger up to a position, in order."""


@dataclass(frozen=True, slots=True)
class Difference:
    """``where``: the model and the row, such as ``roster 2026-07-01 posting P1 host``; what the ledger says there, and
    what the read model says. Holds nothing personal."""

    where: str
    ledger: str
    model: str


@dataclass(frozen=True, slots=True)
class Audited:
    """Up to which position of the registry's ledger was compared, how many answers, and the first that differs."""

    position: int
    compared: int
    difference: Difference | None


def ledger_events(ledger: AsyncEngine) -> Events:
    """Reads a ledger's own table."""

    async def events(upto: int) -> AsyncIterator[Recorded]:
        after = 0
        while after < upto:
            async with ledger.connect() as connection:
                portion = await reader.read(connection, after, min(_PORTION, upto - after))
            if not portion:
                return
            for recorded in portion:
                yield recorded
            after = portion[-1].position

    return events


def no_progress(done: int, total: int) -> None:
    """Says nothing."""


async def audit(
    engine: AsyncEngine, events: Events, today: date, build: Build | None = None, progress: Progress = no_progress
) -> Audited | None:
    """Compare a build (None: the live one; the result is None where there is none) with the registry's ledger: the roster of today and of each half-year's last day, the coverage and the figures of each
    half-year in which there were postings."""
    async with moment(engine) as connection:
        build = build or next((b for b in await builds(connection) if b.state == "live"), None)
        if build is None:
            return None
        await use(connection, build)
        cut = await newest_cut(connection, build.handler)
        fold = Fold()
        async for recorded in events(cut.position):
            if recorded.name in CODEC.types:
                fold.take(recorded.name, CODEC.decode(recorded.name, recorded.schema, recorded.data))
            progress(recorded.position, cut.position)
        compared = 0
        lens = Lens(cut, Scope("all"), today)
        async for where, expected, found in _answers(connection, lens, fold, today):
            compared += 1
            if expected != found:
                return Audited(cut.position, compared, _first(where, expected, found))
        return Audited(cut.position, compared, None)


async def _answers(
    connection: AsyncConnection, lens: Lens, fold: Fold, today: date
) -> AsyncIterator[tuple[str, Mapping[Any, Any], Mapping[Any, Any]]]:
    halves = _halves(fold, today)
    for day in sorted({today, *(half.last for half in halves)}):
        yield f"roster {day}", fold.roster(day), await _roster(connection, lens, day, fold.erased)
    for half in halves:
        for day in sorted({half.last, min(max(today, half.first), half.last)}):
            period = Period(half.first, day)
            filled = await figures(connection, lens, period, COUNTED)
            yield f"figures {half} as of {day}", fold.figures(half.first, day), {f.blank.n: f.value for f in filled}
            covered = await coverage(connection, lens, period, Tier.DISTRICT)
            yield f"coverage {half} as of {day}", fold.coverage(half.first, day), _places(covered.townships)


def _halves(fold: Fold, today: date) -> list[HalfYear]:
    days = [day for p in fold.postings.values() for day in (p["starts"], p["ends"])] or [today]
    half, last = HalfYear.of(min(days)), HalfYear.of(max(days))
    halves: list[HalfYear] = []
    while half.first <= last.first and len(halves) < 40:
        halves.append(half)
        half = HalfYear(half.year, 2) if half.half == 1 else HalfYear(half.year + 1, 1)
    return halves


async def _roster(
    connection: AsyncConnection, lens: Lens, day: date, erased: Container[str]
) -> dict[str, dict[str, Any]]:
    """``erased`` as of the cut: a name may be gone already by an event that comes after it."""
    rows: dict[str, dict[str, Any]] = {}
    after = ("", "")
    while True:
        items, places = await roster(connection, lens, day, Wanted(statuses=()), after, _PAGE)
        for item in items:
            gone = item["erased"] and item["name"] == ERASED and item["person"] in erased
            rows[item["posting"]] = {name: item[name] for name in _COMPARED} | {"erased": gone}
        if len(items) < _PAGE:
            return rows
        after = places[-1]


def _places(townships: list[dict[str, Any]]) -> dict[tuple[str | None, str], tuple[int, int]]:
    return {(t["unit"], kind["kind"]): (kind["reached"], kind["total"]) for t in townships for kind in t["kinds"]}


def _first(where: str, expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> Difference:
    key = min((k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k)), key=str)
    one, other = expected.get(key), found.get(key)
    if isinstance(one, dict) and isinstance(other, dict):
        field = next(name for name in one if one[name] != other.get(name))
        return Difference(f"{where} posting {key} {field}", str(one[field]), str(other.get(field)))
    return Difference(f"{where} {key}", str(one), str(other))
