"""Growth: ten times the postings. What an event costs, and what the slowest answers take: those on what holds now, and
those that look back or through a unit's scope."""

from collections.abc import AsyncGenerator, Callable
from itertools import cycle

from benchmarks.district import District
from benchmarks.lab import Lab
from benchmarks.load import get, load
from benchmarks.projection import project_all
from benchmarks.published import published
from benchmarks.rows import Goal, Round, Row
from benchmarks.running import install, running
from chassis.identity.development import mint
from chassis.identity.principal import Role

BESIDE = "a tenth of the postings"
COST = Row("ten times the postings, cost of an event", BESIDE, "µs", Goal(None, 1.1))
NOW = Row("ten times the postings, roster page and posting, p99", BESIDE, "ms", Goal(None, 1.2))
SCOPED = Row("ten times the postings, scoped and as-of pages, p99", BESIDE, "ms", Goal(None, 200, own=True))


async def measure(lab: Lab) -> AsyncGenerator[Round]:
    small = lab.size(2_000, 800)
    for _ in range(min(lab.rounds, 3)):
        seen = [await _of_size(lab, size) for size in (small * 10, small)]
        for row, ours, other in zip((COST, NOW, SCOPED), *seen, strict=True):
            yield Round(row, ours, other)


async def _of_size(lab: Lab, postings: int) -> tuple[float, float, float]:
    """Microseconds an event; p99 of questions about now, and of those that are scoped or look back, in ms."""
    async with published(lab, District(postings=postings)) as there:
        rate, dsn = await project_all(lab, there)
        half = there.events // 2
    place = await install(lab, ["projection"], {"projection": dsn})
    async with running(place, "api") as api:
        settings = api.settings.model_copy(update={"public_url": api.url})
        clerk = mint(settings, Role.CLERK, unit="990117-1-00001")
        now = [get("/api/query/roster?limit=50", api.token), get("/api/query/roster/P17", api.token)]
        back = [
            get("/api/query/roster?limit=50", clerk),
            get(f"/api/query/roster?limit=50&known=registry@{half}", api.token),
            get("/api/query/roster?limit=50&as_of=2026-03-01", api.token),
        ]
        figures = []
        for requests in (now, back):
            await load(api.port, _next(requests), connections=1, seconds=lab.seconds(1))
            figures.append((await load(api.port, _next(requests), connections=1, seconds=lab.seconds(5))).ms(0.99))
    return 1e6 / rate, figures[0], figures[1]


def _next(requests: list[bytes]) -> Callable[[], bytes]:
    turn = cycle(requests)
    return lambda: next(turn)
