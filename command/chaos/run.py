"""`xiapai chaos` at work: finds the installation, lets the storm loose on it, and tells what came of it."""

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from command.chaos.breaking import ROLES, killing, running
from command.chaos.clerks import ANSWER_SECONDS
from command.chaos.storm import Account, Fault, Plan, Storm
from command.mistakes import Mistake
from command.place import Address
from ledger.ending import ended

LOOK_SECONDS = 0.2


def consent(given: bool) -> None:
    """Raises Mistake unless somebody said that the installation may be broken and filled with test data."""
    if not given:
        raise Mistake(
            "chaos 会写入删不掉的测试数据(区划 990117),并制造故障:请只对试验环境使用,并加上 --not-production。"
            "chaos records test data (division 990117) that stays for ever, and breaks things: point it at a trial only, "
            "and say so with --not-production."
        )


def faults(data: Path, kills: int, commands: Sequence[str], times: int, draw: random.Random) -> list[Fault]:
    """Kills of each kind of process in turn, and each command so many times, in a random order."""
    made = [killing(data, ROLES[number % len(ROLES)]) for number in range(kills)]
    made += [running(command) for command in commands for _ in range(times)]
    draw.shuffle(made)
    return made


def open_client(address: Address, at_once: int) -> httpx.AsyncClient:
    """A client for so many requests at once, which shows the token."""
    limits = httpx.Limits(max_connections=max(20, at_once))
    return httpx.AsyncClient(**address.client_options, timeout=ANSWER_SECONDS, limits=limits)


async def loose(
    address: Address, plan: Plan, faults: Sequence[Fault], draw: random.Random, console: Console
) -> Account:
    """Give all commands with a progress bar, and the account of it.

    Raises:
        Mistake: a fault could not be made.
        NotSeen: the installation does not answer any more.
    """
    async with open_client(address, plan.lanes * plan.copies) as http:
        storm = Storm(http, plan, draw, faults)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        raging = asyncio.ensure_future(storm.rage())
        try:
            with Progress(*columns, console=console, transient=True) as bars:
                bar = bars.add_task("命令 commands", total=len(storm.commands))
                while not raging.done():
                    what = f"命令 commands, 故障 faults {storm.happened.total()}/{len(faults)}"
                    bars.update(bar, completed=len(storm.clerks.answered), description=what)
                    await asyncio.wait({raging}, timeout=LOOK_SECONDS)
        finally:
            await ended([raging])
        raging.result()
        with console.status("正在核对 accounting for each"):
            return await storm.account()


def figures(account: Account, plan: Plan, seed: int) -> dict[str, Any]:
    """The account in numbers, for people and for ``--json``."""
    clerks, verdict = account.clerks, account.verdict
    return {
        "run": plan.run,
        "seed": seed,
        "kept": account.kept,
        "commands": account.commands,
        "acknowledged": len(clerks.answered),
        "requests": clerks.requests,
        "repeated": clerks.repeated,
        "faults": dict(account.faults),
        "seconds": round(account.seconds, 1),
        "longest_wait_seconds": round(account.longest_wait, 1),
        "settled_seconds": None if account.settled is None else round(account.settled, 1),
        "events_promised": verdict.promised,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "contradicted": len(clerks.contradicted),
        "refused": len(clerks.refused),
        "other_commands_under_a_used_key": {"refused_422": clerks.foreign_refused, "taken": len(clerks.overwritten)},
        "postings_that_readers_see_otherwise": len(account.differing),
    }


_WORDS = {
    "acknowledged": "已确认的命令 commands acknowledged",
    "requests": "请求 requests",
    "repeated": "重复的请求 of them repeated",
    "seconds": "用时(秒) seconds",
    "longest_wait_seconds": "最长等待(秒) longest wait for an answer, seconds",
    "settled_seconds": "最后一个应答后读者看到全部(秒) until readers saw all, seconds",
    "events_promised": "应有的事件 events promised",
    "lost": "丢失 lost",
    "doubled": "重复生效 took effect twice",
    "contradicted": "前后应答不一 answered in two ways",
    "refused": "不应有的拒绝 refused, and should not be",
    "postings_that_readers_see_otherwise": "读者所见不符的派驻 postings that readers see otherwise",
}


def show(account: Account, found: dict[str, Any], console: Console) -> None:
    """The report for people: the figures, then what is wrong, by name."""
    table = Table("混沌 chaos", found["run"])
    table.add_row("命令 commands", str(found["commands"]))
    for name, word in _WORDS.items():
        table.add_row(word, "-" if found[name] is None else str(found[name]))
    other = found["other_commands_under_a_used_key"]
    table.add_row(
        "同一键的另一命令 another command under a used key", f"422: {other['refused_422']}, 2xx: {other['taken']}"
    )
    for what, times in sorted(account.faults.items()):
        table.add_row(what, f"{times} ×")
    console.print(table)
    for facts, word in ((account.verdict.lost, "丢失 lost"), (account.verdict.doubled, "重复 doubled")):
        for stream, version in facts[:20]:
            console.print(f"{word}: {stream}@{version}", style="red")
    for said in (*account.clerks.refused, *account.clerks.contradicted, *account.differing)[:20]:
        console.print(said, style="red", markup=False)
    if account.settled is None:
        console.print("读者未能按时看到全部 readers did not see all in time: ./xiapai doctor", style="red")
    if not account.complete:
        missing = account.commands - len(account.clerks.answered)
        console.print(f"{missing} 条命令没有得到应答 commands were not answered: nothing was promised", style="yellow")
    if account.kept:
        console.print("承诺都守住了 every promise was kept", style="bold green")


def write(path: Path, found: dict[str, Any]) -> None:
    """``--json``."""
    path.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
