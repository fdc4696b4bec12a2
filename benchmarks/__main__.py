"""`./xiapai bench`: measure, print the table, and write it where it is asked for."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import (
    append,
    commands,
    delivery,
    growth,
    importing,
    pgbench,
    projection,
    queries,
    rebuild,
    relay,
    starting,
    visible,
)
from benchmarks.lab import CHECKOUT, Lab
from benchmarks.rows import Measure, Result, Row, gather
from benchmarks.table import as_json, machine, screen, write
from chassis.process import settle
from deploy.embedded.kafka import is_possible

PATHS: dict[str, Measure] = {
    "append": append.measure,
    "command": commands.measure,
    "relay": relay.measure,
    "delivery": delivery.measure,
    "projection": projection.measure,
    "rebuild": rebuild.measure,
    "visible": visible.measure,
    "query": queries.measure,
    "import": importing.measure,
    "growth": growth.measure,
    "start": starting.measure,
}
PAGE = CHECKOUT / "docs" / "performance.md"
ROUNDS = 5

HELP = """测量各条路径的速度,并与同类在同一次运行中对比。how fast each path is, beside its peers in one run.

Each path runs in rounds, ours and the peer in turn; the table shows medians, and the ratio round by round with its range.
It starts an Apache Kafka (needs Java; Maven at the first start) and a durable PostgreSQL of its own.
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


async def _measure(measure: Measure, lab: Lab, results: dict[Row, Result], progress: Callable[[int], None]) -> None:
    async with aclosing(measure(lab)) as rounds:
        async for seen in rounds:
            gather(results, seen)
            lab.say(f"{seen.row.path} beside {seen.row.beside or 'nobody'}")
            progress(len(results[seen.row].ours))


@app.command(help=HELP)
def bench(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help=f"只测这一条 this path alone, may be repeated: {', '.join(PATHS)}"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="一轮、小规模,只看大概 one small round, to see roughly")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="轮数 rounds")] = ROUNDS,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="全部结果 all rounds, as JSON", metavar="FILE")
    ] = None,
    write_page: Annotated[bool, typer.Option("--write", help="写入 docs/performance.md put the table there")] = False,
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    names = only or list(PATHS)
    if unknown := [name for name in names if name not in PATHS]:
        raise typer.BadParameter(f"{unknown[0]}: choose of {', '.join(PATHS)}")
    if reason := is_possible():
        console.print(f"需要 Kafka:{reason}。a real Kafka is needed: {reason}")
        raise typer.Exit(1)
    for noisy in ("aiokafka", "alembic"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    settle()
    console.print(f"{machine()}; pgbench {pgbench.version() or '–'}")
    results: dict[Row, Result] = {}
    with ExitStack() as stack:
        bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        with bar:
            task = bar.add_task("starting", total=None)
            name = ""
            lab = Lab(
                stack,
                rounds=rounds,
                quick=quick,
                say=lambda what: bar.update(task, description=f"{name}: {what}"),
            )
            for name in names:
                bar.reset(task, total=lab.rounds, description=name)
                # As the system's processes run; the peers that are not programs of their own share it.
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(_measure(PATHS[name], lab, results, lambda done: bar.update(task, completed=done)))
        versions = lab.versions()
    console.print(", ".join(f"{name} {version}" for name, version in versions.items()))
    console.print(screen(results.values()))
    if json_file is not None:
        json_file.write_text(as_json(results.values(), versions), encoding="utf-8")
    if write_page:
        write(PAGE, results.values(), versions)


if __name__ == "__main__":
    app(prog_name="./xiapai bench")
