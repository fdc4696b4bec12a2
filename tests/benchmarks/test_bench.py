"""The bench runs and says what it measured; how fast anything is, is not tested here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rows import Goal, Result, Round, Row, gather
from benchmarks.table import BEGIN, END, write
from deploy.embedded.kafka import is_possible

ROOT = Path(__file__).parents[2]
ROW = Row("walking", "running", "steps/s", Goal(0.5))


def test_a_ratio_is_taken_round_by_round() -> None:
    results: dict[Row, Result] = {}
    for ours, beside in ((10, 20), (40, 50), (30, 40)):
        gather(results, Round(ROW, ours, beside))
    assert results[ROW].ratios == [0.5, 0.8, 0.75]
    assert results[ROW].ratio == 0.75
    assert results[ROW].holds is True


def test_a_row_whose_peer_is_missing_says_so_and_judges_nothing() -> None:
    results: dict[Row, Result] = {}
    gather(results, Round(ROW, 10, None, "skipped: no runner"))
    assert results[ROW].ratio is None
    assert results[ROW].holds is None


def test_rows_that_were_measured_again_replace_those_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Speed\n\n{BEGIN}\n{END}\n\nwhat follows\n")
    other = Row("walking", "crawling", "steps/s")
    write(page, [Result(ROW, [10.0], [20.0]), Result(other, [10.0], [5.0])], {"shoes": "1.0"})
    write(page, [Result(ROW, [30.0], [20.0])], {"shoes": "2.0"})
    text = page.read_text()
    assert "| walking | running | 30.0 steps/s | 20.0 steps/s | 1.50 (1.50–1.50) | ratio ≥ 0.5 | holds |" in text
    assert text.count("| walking | running |") == 1
    assert text.count("| walking | crawling |") == 1
    assert text.endswith(f"{END}\n\nwhat follows\n")


@pytest.mark.skipif(bool(is_possible()), reason=f"needs a Kafka by Maven: {is_possible()}")
def test_a_quick_run_measures_ours_beside_the_peer(tmp_path: Path) -> None:
    kept = tmp_path / "bench.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--quick",
        "--only",
        "append",
        "--only",
        "relay",
        "--json",
        str(kept),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"})
    assert done.returncode == 0, done.stderr
    said = json.loads(kept.read_text())
    assert {"PostgreSQL", "Apache Kafka", "aiokafka"} <= said["versions"].keys()
    rows = {(row["path"], row["beside"]): row for row in said["rows"]}
    assert len(rows) == 3
    for row in rows.values():
        assert row["ours"][0] > 0
        assert row["skipped"] or row["ratios"][0] == row["ours"][0] / row["peer"][0]
