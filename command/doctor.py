"""`xiapai doctor`: what is reachable, what lags, what is parked, what disagrees, and what to do about it."""

import asyncio
import json
from collections.abc import Awaitable
from pathlib import Path

from rich.console import Console

from chassis.plainly import plainly
from chassis.settings import Settings
from command import place
from command.examine import broker, database, disk, newest_backup, processes
from command.examine_flow import clocks, flow, parked, read_model, relay
from command.finding import Finding, State, ok, problem
from command.mistakes import Mistake
from command.services import services

PATIENCE_SECONDS = 8.0
"""For one look; a database or a broker that says nothing for so long is away."""

_SHOWN = {
    State.OK: ("正常 ok     ", "green"),
    State.WARNING: ("注意 warning", "yellow"),
    State.PROBLEM: ("故障 problem", "red"),
}


def run(data: Path, console: Console, *, as_json: bool) -> int:
    """Look at everything and say so; 0: all is well, 1: something deserves attention, 2: something is broken."""
    try:
        settings = place.settings_of(data)
    except Exception as error:
        said = str(error) if isinstance(error, Mistake) else plainly(error)
        if said is None:
            raise
        findings = [problem("settings", said, "见 chassis/SETTINGS.md see chassis/SETTINGS.md"), disk(data)]
    else:
        findings = asyncio.run(examine(settings, data))
    worst = max(finding.state for finding in findings)
    if as_json:
        checks = [
            {"check": one.check, "state": one.state.name.lower(), "says": one.says, "next": one.next}
            for one in findings
        ]
        console.print_json(json.dumps({"state": worst.name.lower(), "checks": checks}, ensure_ascii=False))
    else:
        _show(findings, console)
    return int(worst)


async def examine(settings: Settings, data: Path) -> list[Finding]:
    """Every finding, in the order in which an event meets the parts. Each look stands alone: one that fails or hangs
    takes nothing from the others."""
    every = services()
    looks = await asyncio.gather(*(database(service, settings, PATIENCE_SECONDS) for service in every))
    seen = [look for _, look in looks if look is not None]
    findings = [ok("settings", f"{settings.environment}")]
    findings += [finding for finding, _ in looks]
    further = await asyncio.gather(
        _guarded("broker", broker(settings, every)),
        _guarded("processes", processes(data)),
        _guarded("relay", relay(seen, settings)),
        _guarded("handlers", flow(seen, settings)),
        _guarded("read model", read_model(seen, settings)),
    )
    for found in further:
        findings += found
    findings += [*clocks(seen, settings), *parked(seen), *newest_backup(settings), disk(settings.data or data)]
    return findings


async def _guarded(check: str, look: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await look
    except TimeoutError:
        return [
            problem(
                check, f"{PATIENCE_SECONDS:.0f} 秒内没有应答 no answer", "检查网络与该部分 see to it and the network"
            )
        ]
    except Exception as error:  # a look that fails is a finding like any other
        said = plainly(error) or type(error).__name__
        return [problem(check, said, "查看日志 see the logs")]


def _show(findings: list[Finding], console: Console) -> None:
    for one in findings:
        word, colour = _SHOWN[one.state]
        console.print(word, style=colour, end="  ")
        console.print(f"{one.check}: {one.says}", markup=False)
        if one.next:
            console.print(f"              → {one.next}", markup=False)
    bad = [sum(one.state is state for one in findings) for state in (State.PROBLEM, State.WARNING)]
    console.print(f"{bad[0]} 项故障 problems, {bad[1]} 项注意 warnings", style="bold")
