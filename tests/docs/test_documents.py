"""What the documents name exists: files, sections, commands, figures of the house."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer

from command.__main__ import app
from tests.docs.pages import ROOT, blocks, pages, prose

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CALL = re.compile(r"\./xiapai ([a-z][a-z-]*)((?: [a-z][a-z-]*)?)")
_ELSEWHERE = re.compile(r"[a-z]+:")
LAUNCHERS = {"test", "bench"}
"""What the launcher itself does, before our Python runs."""


def _verbs() -> dict[str, set[str]]:
    """Each verb with its sub-verbs (none: it has none)."""
    command = typer.main.get_command(app)
    return {name: set(getattr(one, "commands", {})) for name, one in getattr(command, "commands", {}).items()}


def _anchors(page: Path) -> set[str]:
    """The names of a page's sections, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(prose(page)):
        if _ELSEWHERE.match(target):
            continue
        place, _, section = target.partition("#")
        to = (page.parent / unquote(place)).resolve() if place else page
        if not to.exists() or (section and section not in _anchors(to)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_every_command_that_a_page_types_is_one_of_ours(page: Path) -> None:
    known = _verbs()
    for verb, further in _CALL.findall(page.read_text(encoding="utf-8")):
        assert verb in known.keys() | LAUNCHERS, verb
        if known.get(verb):
            assert further.strip() in known[verb], f"{verb}{further}"


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_lists_every_verb_and_no_other(name: str) -> None:
    section = re.split(r"^## ", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    (verbs,) = [part for part in section if part.startswith(("The verbs", "命令"))]
    rows = [line.split("|")[1] for line in verbs.splitlines() if line.startswith("| `")]
    assert {verb for row in rows for verb in re.findall(r"`([a-z-]+)`", row)} == _verbs().keys()


def test_the_two_readmes_follow_a_posting_through_the_same_files() -> None:
    def files(name: str) -> list[str]:
        return re.findall(r"\]\((?!docs)([\w/.-]+\.py)\)", (ROOT / name).read_text(encoding="utf-8"))

    assert files("README.md") == files("README.zh.md")
    assert len(files("README.md")) > 10


def test_the_index_of_decisions_names_each_of_them_once() -> None:
    folder = ROOT / "docs" / "adr"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("0*.md"))


@pytest.mark.parametrize("decision", sorted((ROOT / "docs" / "adr").glob("0*.md")), ids=_name)
def test_a_decision_says_why_and_what_would_change_our_mind(decision: Path) -> None:
    text = decision.read_text(encoding="utf-8")
    parts = ["# " + decision.name[:4], "**Context.**", "**Decision", "**Why.**", "**Consequences.**", "**What would change our mind.**"]  # fmt: skip
    places = [text.find(part) for part in parts]
    assert -1 not in places and places == sorted(places)
    assert text.count("\n") <= 60, "a decision is one page"


def test_every_python_block_can_be_compiled() -> None:
    for page in pages():
        for block in blocks(page):
            if block.language == "python":
                compile(block.text, f"{page.name}:{block.line}", "exec", flags=0x2000)  # top-level await


def test_the_house_is_described_with_every_file_of_the_ledger_and_every_service() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`([a-z_]+)(?:\.py|/)?`", text))
    ledger = {
        path.stem for path in (ROOT / "ledger").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    services = {path.parent.name for path in (ROOT / "services").glob("*/__main__.py")}
    # The first three hold what others are described by: tables, rows, connections.
    assert (ledger | services) - described - {"schema", "recorded", "database", "__init__"} == set()
