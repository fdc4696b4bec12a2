"""The tour of docs/tour.md takes place as it is told: every block is executed in order, and prints what stands below it."""

import ast
import asyncio
import inspect
import os
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ledger.kafka import KafkaSettings
from tests.docs.pages import ROOT, Block, blocks
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.ledger.kafka_support import settings_for

TOUR = ROOT / "docs" / "tour.md"


@pytest.fixture
def kafka(infra: Infra, topic_prefix: str) -> KafkaSettings:
    return settings_for(infra.kafka, infra.kafka_kind, topic_prefix)


async def test_one_posting_goes_the_way_that_the_tour_tells(
    databases: Databases, kafka: KafkaSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    made: dict[str, str] = {}

    def dsn(name: str) -> str:
        return made.setdefault(name, databases()) if name not in made else made[name]

    names: dict[str, Any] = {"__name__": "tour", "dsn": dsn, "kafka": kafka, "data": tmp_path}
    printed, told = "", 0
    try:
        with capture_logs():  # which would go to the page's output
            for block in blocks(TOUR):
                match block.language:
                    case "python":
                        printed = await _run(block, names)
                    case "console":
                        told += await _type(block)
                    case "output":
                        assert printed == block.text, f"{TOUR.name}, line {block.line}"
                        printed = ""
                        told += 1
    finally:
        if "stack" in names:
            await names["stack"].aclose()
    assert told > 10


async def _run(block: Block, names: dict[str, Any]) -> str:
    """What the block prints. Its lines keep their numbers in the page, for whoever reads a traceback."""
    code = compile("\n" * (block.line - 1) + block.text, str(TOUR), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    out = StringIO()
    with redirect_stdout(out):
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result
    return out.getvalue()


async def _type(block: Block) -> int:
    """Run the commands after ``$`` in the checkout, with our Python first on the path, and compare what they print."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    commands = block.text.split("$ ")[1:]
    for command in commands:
        line, _, expected = command.partition("\n")
        shell = await asyncio.create_subprocess_shell(
            line, cwd=ROOT, env=os.environ | {"PATH": path}, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await shell.communicate()
        assert shell.returncode == 0, line
        assert out.decode().strip() == expected.strip(), f"{TOUR.name}, line {block.line}"
    return len(commands)
