"""What `doctor` says about the way of an event: from ledger to broker, to handlers, to the read model."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.settings import Settings
from chassis.tools import open_engine
from command.examine import Seen, look
from command.finding import Finding, ok, problem, warning
from services.projection.builds import builds, live
from services.projection.cut import newest_cut

AGAIN_SECONDS = 3.0
"""Between two looks at what is behind: markers come every second, so that what is well has moved by then."""
OLD_SECONDS, TOO_OLD_SECONDS = 15.0, 120.0


@dataclass(frozen=True, slots=True)
class Behind:
    """How far a handler knows a source, whose published position is ``of``. ``other``: it follows another life of it."""

    reached: int
    of: int
    other: bool


async def relay(seen: Sequence[Seen], settings: Settings) -> list[Finding]:
    """Who leads, and what is not yet published."""
    first = [one for one in seen if one.service.topics]
    waiting = [one for one in first if not one.led or one.head > one.published]
    again = await _again(waiting, settings)
    return [_relay(one, again.get(one.service.name, one)) for one in first]


def _relay(before: Seen, now: Seen) -> Finding:
    check, lag = f"relay {now.service.name}", now.head - now.published
    if not now.led:
        return problem(
            check,
            f"没有领导者 nobody leads, {lag} 个事件未发布 events not published",
            f"启动 start: xiapai run relay {now.service.name}",
        )
    if lag == 0:
        return ok(check, f"有领导者 led, 已发布至 published up to {now.published}")
    if now.published > before.published:
        return ok(check, f"有领导者 led, 正在赶上 catching up, {lag} 个事件 events behind")
    return warning(
        check,
        f"停住 stands still, {lag} 个事件未发布 events not published",
        "消息代理可用吗?is the broker well? see its log",
    )


async def flow(seen: Sequence[Seen], settings: Settings) -> list[Finding]:
    """How far every handler is behind what its sources have published."""
    resting = await _resting(seen, settings)
    before = _behind(seen, resting)
    late = [one for one in seen if any(_late(b) for (name, *_), b in before.items() if name == one.service.name)]
    # Sources are looked at before those who read them, so that a handler is never behind what came meanwhile.
    again = await _again(late, settings)
    after = _behind([again.get(one.service.name, one) for one in seen], resting, published=seen)
    return [_handler(key, before.get(key), now) for key, now in sorted(after.items())]


def _late(behind: Behind) -> bool:
    return behind.other or behind.reached < behind.of


def _behind(
    seen: Sequence[Seen], resting: frozenset[str], published: Sequence[Seen] = ()
) -> dict[tuple[str, str, str], Behind]:
    sources = {one.service.name: one for one in published or seen}
    owners = {
        topic.name: topic.owner for one in sources.values() for topic in one.service.topics if not topic.compacted
    }
    found: dict[tuple[str, str, str], Behind] = {}
    for one in seen:
        for place in one.places:
            source = owners.get(place.topic)
            if source is None or place.handler in resting:
                continue
            key, least = (one.service.name, place.handler, source), sources[source]
            here = Behind(place.reached, least.published, place.epoch not in ("", least.epoch))
            known = found.get(key)
            if known is None or (here.other, -here.reached) > (known.other, -known.reached):
                found[key] = here
    return found


def _handler(key: tuple[str, str, str], before: Behind | None, now: Behind) -> Finding:
    service, handler, source = key
    check, lag = f"handler {handler} ← {source}", max(0, now.of - now.reached)
    if now.other:
        return warning(
            check,
            "跟随台账的另一个 epoch follows another life of the ledger",
            f"中继与工作进程在运行吗?do relay and worker run? else: ./xiapai republish {source}",
        )
    if lag == 0:
        return ok(check, f"已处理至 has reached {now.reached}")
    if before is not None and now.reached > before.reached:
        return ok(check, f"正在赶上 catching up, {lag} 个事件 events behind")
    return problem(
        check,
        f"停住 stands still, {lag} 个事件未处理 events behind",
        f"工作进程在运行吗?does the worker run? its /readyz says why: xiapai run worker {service}",
    )


async def _resting(seen: Sequence[Seen], settings: Settings) -> frozenset[str]:
    """Handlers of builds that no worker reads into: retired, or filled by a command."""
    for one in seen:
        if one.service.name == "projection":
            engine = open_engine(one.service, settings)
            try:
                async with engine.connect() as connection:
                    there = await builds(connection)
            finally:
                await engine.dispose()
            return frozenset(build.handler for build in there if build.state in ("retired", "filling"))
    return frozenset()


async def _again(seen: Sequence[Seen], settings: Settings) -> dict[str, Seen]:
    if not seen:
        return {}
    await asyncio.sleep(AGAIN_SECONDS)
    return {one.service.name: one for one in await asyncio.gather(*(look(s.service, settings) for s in seen))}


async def read_model(seen: Sequence[Seen], settings: Settings) -> list[Finding]:
    """How old what the desk shows is."""
    for one in seen:
        if one.service.name != "projection":
            continue
        engine = open_engine(one.service, settings)
        try:
            async with engine.connect() as connection:
                build = await live(connection)
                cut = None if build is None else await newest_cut(connection, build.handler)
        finally:
            await engine.dispose()
        if cut is None or cut.age_ms is None:
            return [
                warning(
                    "read model", "还没有可读的 there is none yet", "projection 的工作进程会建立 its worker builds it"
                )
            ]
        seconds = cut.age_ms / 1000
        says = f"至 up to registry@{cut.position}, {seconds:.0f} 秒前 s old"
        if seconds < OLD_SECONDS:
            return [ok("read model", says)]
        judged = warning if seconds < TOO_OLD_SECONDS else problem
        return [judged("read model", says, "见上述中继、消息代理与处理者 see relay, broker and handlers above")]
    return []


def clocks(seen: Sequence[Seen], settings: Settings) -> list[Finding]:
    """One kind of clock, that of the settings."""
    kinds = {one.service.name: one.clock.kind for one in seen}
    if not kinds:
        return []
    wrong = sorted(name for name, kind in kinds.items() if kind != settings.clock)
    if wrong:
        says = f"{', '.join(wrong)} 的时间种类与设置({settings.clock})不同 has another kind of clock than the settings"
        return [problem("clock", says, "改回 XIAPAI_CLOCK,或另选数据库 set XIAPAI_CLOCK back, or use other databases")]
    stands = max((one.clock.stands_at for one in seen if one.clock.stands_at), default=None)
    return [ok("clock", f"{settings.clock}" + (f", 停在 stands at {stands:%Y-%m-%d %H:%M} UTC" if stands else ""))]


def parked(seen: Sequence[Seen]) -> list[Finding]:
    """What waits as dead letters."""
    found = []
    for one in seen:
        for handler in sorted({queue.handler for queue in one.parked}):
            queues = [queue for queue in one.parked if queue.handler == handler]
            says = (
                f"{len(queues)} 个流 streams, {sum(q.count for q in queues)} 条搁置 records parked: {queues[0].reason}"
            )
            next = f"./xiapai dead-letters list; 修复后 once mended: ./xiapai dead-letters replay {one.service.name}"
            found.append(warning(f"dead letters {handler}", says, next))
    return found or ([ok("dead letters", "没有搁置的记录 nothing is parked")] if seen else [])
