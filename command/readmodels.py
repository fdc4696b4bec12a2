"""`xiapai rebuild` and `xiapai audit`: the read models made anew, and held against the ledger."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.clock import ZONE, RealClock
from chassis.seal import Kek
from chassis.settings import Settings, load_settings
from chassis.tools import kafka_settings, open_engine
from ledger import clock as ledger_clock
from ledger.database import connect
from services.projection.__main__ import SERVICE as PROJECTION
from services.projection.audit import Audited, audit, ledger_events
from services.projection.audit import Progress as Report
from services.projection.rebuild import AlreadyRebuilding, NotRight, rebuild_from_kafka, rebuild_from_ledger
from services.registry.__main__ import SERVICE as REGISTRY


@dataclass(frozen=True, slots=True)
class Sources:
    """The projection's database, the registry's ledger by a role that may only read, and the programme's day."""

    settings: Settings
    engine: AsyncEngine
    ledger: AsyncEngine
    today: date


@asynccontextmanager
async def _sources() -> AsyncIterator[Sources]:
    settings = load_settings()
    engine = open_engine(PROJECTION, settings)
    reader = settings.database(REGISTRY.name, reader=settings.postgres_reader is not None)
    ledger = connect(reader, application="xiapai-audit")
    try:
        async with ledger.connect() as connection:
            stands_at = (await ledger_clock.look(connection)).stands_at
        today = stands_at.astimezone(ZONE).date() if stands_at else RealClock().today()
        yield Sources(settings, engine, ledger, today)
    finally:
        await engine.dispose()
        await ledger.dispose()


@contextmanager
def _progress(console: Console, what: str) -> Iterator[Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


async def rebuild(console: Console, *, from_ledger: bool) -> int:
    """Build beside the live read models, audit, switch; 1 where the new build was not right or another is under way."""
    async with _sources() as have:
        kek = Kek.load(have.settings.key_file("kek_file"))
        events = ledger_events(have.ledger)
        try:
            with _progress(console, "重建 rebuilding") as report:
                if from_ledger:
                    done = await rebuild_from_ledger(have.engine, have.ledger, kek, have.today, events, report)
                else:
                    done = await rebuild_from_kafka(
                        have.engine, kafka_settings(have.settings), kek, have.today, events, report
                    )
        except AlreadyRebuilding:
            console.print("另一次重建正在进行,请待其完成。another rebuild is under way: wait for it", style="red")
            return 1
        except NotRight as wrong:
            console.print(
                "新的读模型与台账不符,已丢弃,原有的仍在使用。the new build is not right and was dropped", style="red"
            )
            return _tell(console, wrong.audited)
        console.print(f"已切换 switched to {done.build.schema}, position {done.position}")
        if done.before is not None:
            console.print(f"与原有的读模型不同 it differs from the one before: {done.before}", style="yellow")
        return _tell(console, done.audited) if done.audited is not None else 0


async def audit_now(console: Console) -> int:
    """Compare what readers are told with an independent fold of the ledger; 1 on a difference."""
    async with _sources() as have:
        with _progress(console, "核对 auditing") as report:
            audited = await audit(have.engine, ledger_events(have.ledger), have.today, progress=report)
        if audited is None:
            console.print(
                "还没有读模型:请先启动 worker。there is no read model yet: start the worker first", style="red"
            )
            return 1
        return _tell(console, audited)


def _tell(console: Console, audited: Audited) -> int:
    found = audited.difference
    if found is None:
        console.print(
            f"核对一致 audited: {audited.compared} 项 answers agree, position {audited.position}", style="green"
        )
        return 0
    console.print(
        f"不一致 differs at {found.where}: 台账 ledger {found.ledger}, 读模型 read model {found.model}", style="red"
    )
    return 1
