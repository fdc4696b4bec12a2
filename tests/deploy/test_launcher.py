"""The launcher says in one line what it lacks, before it changes anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAUNCHER = Path(__file__).resolve().parents[2] / "xiapai"


def launch(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = os.environ | {"XIAPAI_HOME": str(home)} | environment
    return subprocess.run([LAUNCHER, "--help"], env=own, capture_output=True, text=True, check=False)


def test_a_machine_without_python_is_told_so_in_one_line(tmp_path: Path) -> None:
    done = launch(tmp_path, XIAPAI_PYTHON="no-such-python")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "3.11" in done.stderr
    assert not (tmp_path / "venv.lock").exists()


def test_a_python_that_is_too_old_is_not_taken(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = launch(tmp_path, XIAPAI_PYTHON=str(old))
    assert done.returncode == 1
    assert "3.11" in done.stderr


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = launch(tmp_path / "file")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "XIAPAI_HOME" in done.stderr


def test_bytecode_is_kept_also_where_python_is_told_to_keep_none() -> None:
    if sys.pycache_prefix is None:
        pytest.skip("needs to have been started by ./xiapai test")
    (kept,) = Path(sys.pycache_prefix).glob(f"{LAUNCHER.parent}/command/mistakes.*.pyc".lstrip("/"))
    kept.unlink()
    own = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([LAUNCHER, "--help"], env=own, capture_output=True, check=True)
    assert kept.exists()
