"""A type checker sees the fields of an event, and what is wrong with a call."""

from pathlib import Path

from mypy import api

RIGHT = """
from dataclasses import replace
from datetime import date

from xiapai_contracts.event import event_type
from xiapai_contracts.registry import UnitRenamed
from xiapai_contracts.topics import CODEC

renamed = replace(UnitRenamed(unit="CW-1", name="柳溪村", on=date(2026, 5, 1)), name="柳溪社区")
name: str = event_type(renamed).event_name
version: int = event_type(UnitRenamed).event_version
data: bytes = CODEC.encode(renamed)
"""

WRONG = """
from datetime import date

from xiapai_contracts.registry import UnitRenamed

UnitRenamed(unit=1, name="柳溪村", on=date(2026, 5, 1))
UnitRenamed("CW-1", "柳溪村", date(2026, 5, 1))
UnitRenamed(unit="CW-1", name="柳溪村")
UnitRenamed(unit="CW-1", name="柳溪村", on=date(2026, 5, 1), into="CW-2")
UnitRenamed(unit="CW-1", name="柳溪村", on=date(2026, 5, 1)).name = "柳溪社区"
"""


def test_events_are_checked_by_their_fields(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    said, complaints, _ = api.run(
        [
            "--strict",
            "--config-file=",
            f"--cache-dir={tmp_path / 'cache'}",
            str(tmp_path / "right.py"),
            str(tmp_path / "wrong.py"),
        ]
    )
    assert complaints == ""
    errors = [line for line in said.splitlines() if ": error: " in line]
    assert [(line.split(":")[0].rpartition("/")[2], line.rpartition("[")[2]) for line in errors] == [
        ("wrong.py", "arg-type]"),
        ("wrong.py", "call-arg]"),
        ("wrong.py", "call-arg]"),
        ("wrong.py", "call-arg]"),
        ("wrong.py", "misc]"),
    ]
