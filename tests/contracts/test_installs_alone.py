"""Another department installs the contracts alone, and has the types, the codec and the documents."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).parents[2] / "contracts"

UNREACHABLE = re.compile(
    "error sending request|dns error|failed to lookup|Temporary failure in name resolution|Connection refused"
    "|Failed to fetch|NewConnectionError|ConnectTimeout|Network is unreachable|network was disabled",
    re.IGNORECASE,
)

STRANGER = """
import importlib.metadata
import importlib.resources
import json
import sys

from xiapai_contracts import __version__, published
from xiapai_contracts.topics import CODEC

assert importlib.metadata.version("xiapai-contracts") == __version__
assert not {"aiokafka", "yaml", "pydantic", "ledger", "chassis"} & set(sys.modules)
golden = importlib.resources.files("xiapai_contracts").joinpath("golden/posting.arrived.v1.json").read_bytes()
print(type(CODEC.decode("posting.arrived", 1, golden)).__name__)
schema = importlib.resources.files("xiapai_contracts").joinpath("schemas/posting.arrived.v1.json").read_bytes()
print(json.loads(schema)["$id"])
newest = {name: kind.event_version for name, kind in CODEC.types.items()}
print({name: max(numbers) for name, numbers in published.versions().items()} == newest)
print(published.asyncapi().splitlines()[0])
print(importlib.resources.files("xiapai_contracts").joinpath("py.typed").is_file())
"""


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=CONTRACTS, env=outside
    )


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment that holds the contracts and what they need."""
    folder = tmp_path_factory.mktemp("stranger")
    source, environment = folder / "contracts", folder / "venv"
    shutil.copytree(CONTRACTS, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist"))
    interpreter = environment / "bin" / "python"
    if uv := shutil.which("uv"):
        install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", interpreter, source]
        made = _run(uv, "venv", "--quiet", "--no-config", "--python", sys.executable, environment)
    else:
        made = _run(sys.executable, "-m", "venv", environment)
        install = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", source]
    assert made.returncode == 0, made.stderr
    done = _run(*install)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip("needs a package registry: none can be reached from here")
    assert done.returncode == 0, done.stderr
    return interpreter


def test_the_types_the_codec_and_the_documents_are_there(python: Path) -> None:
    done = _run(python, "-I", "-c", STRANGER)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "CadreArrived",
        "urn:xiapai:posting.arrived:1",
        "True",
        'asyncapi: "3.0.0"',
        "True",
    ]


def test_it_needs_msgspec_and_nothing_else(python: Path) -> None:
    names = (
        "import importlib.metadata as m; print(*sorted({d.name for d in m.distributions()} - {'pip', 'setuptools'}))"
    )
    assert _run(python, "-I", "-c", names).stdout.split() == ["msgspec", "xiapai-contracts"]


def test_what_is_installed_is_what_its_types_say(python: Path) -> None:
    done = _run(python, "-I", "-m", "xiapai_contracts.generate", "--check")
    assert (done.returncode, done.stderr) == (0, "")
