"""`xiapai rebuild` and `xiapai audit`: the read models made anew, and held against the ledger."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chassis.settings import load_settings
from services.projection import operating
from services.projection.audit import Audited
from services.projection.audit import Progress as Report
from services.projection.rebuild import AlreadyRebuilding, NotRight


@contextmanager
def _progress(console: Console, what: str) -> Iterator[Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


async def rebuild(console: Console, *, from_ledger: bool) -> int:
    """Build beside the live read models, audit, switch; 1 where the new build was not right or another is under way."""
    try:
        with _progress(console, "重建 rebuilding") as report:
            done = await operating.rebuild(load_settings(), from_ledger=from_ledger, progress=report)
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


async def audit(console: Console) -> int:
    """Compare what readers are told with an independent fold of the ledger; 1 on a difference."""
    with _progress(console, "核对 auditing") as report:
        audited = await operating.audit(load_settings(), report)
    if audited is None:
        console.print("还没有读模型:请先启动 worker。there is no read model yet: start the worker first", style="red")
        return 1
    return _tell(console, audited)


def _tell(console: Console, audited: Audited) -> int:
    found = audited.difference
    if found is None:
        agreed = f"核对一致 audited: {audited.compared} 项 answers agree, position {audited.position}"
        console.print(agreed, style="green")
        return 0
    console.print(
        f"不一致 differs at {found.where}: 台账 ledger {found.ledger}, 读模型 read model {found.model}", style="red"
    )
    return 1
