"""The results as a table: on the screen, as JSON, and between two markers of docs/performance.md."""

import json
import os
import platform
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.rows import Result

HEAD = ("path", "beside", "ours", "beside's", "ratio (range)", "goal", "")
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def cells(result: Result) -> tuple[str, ...]:
    """One line of the table."""
    row, ratio = result.row, result.ratio
    beside = figure(median(result.beside), row.unit) if result.beside else result.skipped or "–"
    return (
        row.path,
        row.beside or "–",
        figure(median(result.ours), row.unit) if result.ours else "–",
        beside,
        _span(result.ratios, ratio) if ratio is not None else _range(result),
        str(row.goal or "–"),
        {True: "holds", False: "short", None: ""}[result.holds],
    )


def figure(value: float, unit: str) -> str:
    written = f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{written} {unit}"


def _span(values: list[float], middle: float) -> str:
    written = [f"{value:.2f}" if value < 20 else f"{value:.0f}" for value in (middle, min(values), max(values))]
    return f"{written[0]} ({written[1]}–{written[2]})"


def _range(result: Result) -> str:
    if len(result.ours) < 2:
        return "–"
    return f"({figure(min(result.ours), '').strip()}–{figure(max(result.ours), result.row.unit)})"


def screen(results: Iterable[Result]) -> Table:
    """For a terminal."""
    table = Table(*HEAD)
    for result in results:
        table.add_row(*cells(result))
    return table


def as_json(results: Iterable[Result], versions: dict[str, str]) -> str:
    """All rounds, for programs."""
    rows: list[dict[str, Any]] = [
        {
            "path": one.row.path,
            "beside": one.row.beside,
            "unit": one.row.unit,
            "ours": one.ours,
            "peer": one.beside,
            "ratio": one.ratio,
            "ratios": one.ratios,
            "goal": str(one.row.goal) if one.row.goal else None,
            "holds": one.holds,
            "skipped": one.skipped,
        }
        for one in results
    ]
    return json.dumps({"machine": machine(), "versions": versions, "rows": rows}, ensure_ascii=False, indent=1) + "\n"


def write(page: Path, results: Iterable[Result], versions: dict[str, str]) -> None:
    """Put the rows into the page's table, in place of those of the same path and peer; others stay as they are."""
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    old, after = rest.split(END, 1)
    lines = {key: line for line in old.splitlines() if (key := _key(line)) is not None}
    for result in results:
        line = "| " + " | ".join(cells(result)) + " |"
        lines[_key(line) or line] = line
    said = f"{machine()}; {', '.join(f'{name} {version}' for name, version in versions.items())}; {date.today()}."
    head = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    table = "\n".join([said, "", *head, *lines.values()])
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def _key(line: str) -> str | None:
    parts = [part.strip() for part in line.split("|")]
    if len(parts) != len(HEAD) + 2 or parts[1] == HEAD[0] or re.fullmatch(r"-+", parts[1]):
        return None
    return f"{parts[1]}|{parts[2]}"


def machine() -> str:
    """The machine in one line."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    kilobytes = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return (
        f"{os.cpu_count()} cores ({model}), {kilobytes / 2**20:.0f} GB, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
