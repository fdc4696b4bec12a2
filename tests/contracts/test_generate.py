"""The committed documents are what the types say; what was published stays as it was published."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from xiapai_contracts import generate, published
from xiapai_contracts.event import Codec, Fields, MalformedEvent, event
from xiapai_contracts.schema import fingerprint, schema_of
from xiapai_contracts.topic import Topic
from xiapai_contracts.topics import EVENTS, TOPICS


@event("visit.made")
class VisitV1:
    """走访: somebody visited a host."""

    host: str


@event("visit.made", version=2, upcasts={1: lambda fields: fields})
class VisitV2:
    """走访: somebody visited a host."""

    host: str
    people: int = 1


def _in_pairs(fields: Fields) -> Fields:
    return {**fields, "pairs": fields.get("people", 1) // 2}


@event("visit.made", version=3, upcasts={1: lambda fields: fields, 2: _in_pairs})
class VisitV3:
    """走访: somebody visited a host."""

    host: str
    people: int = 1
    pairs: int = 0


@event("visit.made", version=2, upcasts={1: lambda fields: fields})
class VisitBroken:
    """走访: somebody visited a host."""

    host: str
    people: int


@event("visit.made")
class VisitEdited:
    """走访: somebody visited a host."""

    host: str
    people: int = 1


@event("visit.made")
class VisitBetterSaid:
    """走访: somebody went to see a host."""

    host: str


VISITS = Topic(name="visiting.visits", owner="visiting", partitions=2, about="走访 visits")


class Release:
    """A folder of documents, released version after version as the package's own is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, kind: type[Any], *arguments: str) -> int:
        return generate.main(arguments, topics=[replace(VISITS, events=(kind,))], within=self.folder)

    def golden(self, version: int, **fields: Any) -> None:
        (self.folder / "golden").mkdir(exist_ok=True)
        (self.folder / "golden" / f"visit.made.v{version}.json").write_text(json.dumps(fields))


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """Version 1 is published."""
    made = Release(tmp_path)
    made.golden(1, host="CW-1")
    assert made(VisitV1) == 0
    return made


def test_the_committed_documents_are_what_the_types_say() -> None:
    command = [sys.executable, "-m", "xiapai_contracts.generate", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_nothing_but_generated_schemas_stands_in_the_folder() -> None:
    made = {path.removeprefix("schemas/") for path in generate.documents(TOPICS, generate.HERE)}
    older = {
        published.file_name(name, version) for name, numbers in published.versions().items() for version in numbers[:-1]
    }
    assert {file.name for file in (generate.HERE / "schemas").iterdir()} == (
        made - {"asyncapi.yaml", "published.json"}
    ) | older


@pytest.mark.parametrize("path", ["schemas/posting.arrived.v1.json", "asyncapi.yaml", "published.json"])
@pytest.mark.parametrize("harm", ["edited", "gone"])
def test_a_file_that_differs_is_named(path: str, harm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "package"
    shutil.copytree(generate.HERE, copy)
    if harm == "edited" and path.endswith("json"):
        (copy / path).write_text((copy / path).read_text().replace("}\n", " }\n"))
    elif harm == "edited":
        (copy / path).write_text((copy / path).read_text() + "# by hand\n")
    else:
        (copy / path).unlink()
    assert generate.main(["--check"], within=copy) == 1
    said = capsys.readouterr().err
    assert said.splitlines() == [f"{path} differs from what its types say: run python -m xiapai_contracts.generate"]
    assert generate.main([], within=copy) == 0
    assert (copy / path).read_text() == (generate.HERE / path).read_text()


def test_versions_climb_one_after_another(release: Release) -> None:
    release.golden(2, host="CW-1", people=4)
    assert release(VisitV2) == 0
    release.golden(3, host="CW-1", people=4, pairs=2)
    assert release(VisitV3) == 0
    assert published.versions(release.folder) == {"visit.made": (1, 2, 3)}
    read = Codec([VisitV3])
    decoded = [read.decode("visit.made", n, published.golden("visit.made", n, release.folder)) for n in (1, 2, 3)]
    assert decoded == [
        VisitV3(host="CW-1"),
        VisitV3(host="CW-1", people=4, pairs=2),
        VisitV3(host="CW-1", people=4, pairs=2),
    ]


def test_the_asyncapi_document_names_every_version_that_the_topic_may_hold(release: Release) -> None:
    release.golden(2, host="CW-1", people=4)
    release(VisitV2)
    text = (release.folder / "asyncapi.yaml").read_text()
    assert "schemas/visit.made.v1.json" in text
    assert "schemas/visit.made.v2.json" in text


def test_a_published_version_cannot_be_changed(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    before = (release.folder / "schemas/visit.made.v1.json").read_text()
    assert release(VisitEdited) == 1
    assert "visit.made v1 is published and would change" in capsys.readouterr().err
    assert (release.folder / "schemas/visit.made.v1.json").read_text() == before


def test_the_words_of_a_published_version_can_be_bettered(release: Release) -> None:
    assert release(VisitBetterSaid) == 0
    assert "went to see" in (release.folder / "schemas/visit.made.v1.json").read_text()


def test_an_incompatible_version_is_named(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    release.golden(2, host="CW-1", people=4)
    assert release(VisitBroken) == 1
    assert capsys.readouterr().err.splitlines() == [
        "visit.made v1 and v2: field people: a new reader requires it, and old records do not hold it"
    ]
    with pytest.raises(MalformedEvent, match="people"):
        Codec([VisitBroken]).decode("visit.made", 1, published.golden("visit.made", 1, release.folder))


def test_a_version_without_its_golden_json_is_named(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    assert release(VisitV2) == 1
    assert capsys.readouterr().err.splitlines() == ["visit.made v2: it has no golden JSON"]


def test_an_earlier_version_edited_by_hand_is_named(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    release.golden(2, host="CW-1", people=4)
    release(VisitV2)
    file = release.folder / "schemas/visit.made.v1.json"
    file.write_text(
        file.read_text().replace(
            '"host": {\n      "type": "string"', '"host": {\n      "maxLength": 9, "type": "string"'
        )
    )
    assert release(VisitV2, "--check") == 1
    assert "visit.made v1: its schema was edited after it had been published" in capsys.readouterr().err


def test_an_earlier_version_that_is_gone_is_named(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    release.golden(2, host="CW-1", people=4)
    release(VisitV2)
    (release.folder / "schemas/visit.made.v1.json").unlink()
    assert release(VisitV2) == 1
    said = capsys.readouterr().err
    assert "visit.made.v1: it was published, and its schema is gone" in said
    assert "should count from 1 without gaps" in said


def test_every_published_version_stands_in_the_manifest() -> None:
    manifest = json.loads((generate.HERE / "published.json").read_text())
    assert {entry: fingerprint(published.schema(*_split(entry))) for entry in manifest} == manifest
    assert set(manifest) == {f"{name}.v{n}" for name, numbers in published.versions().items() for n in numbers}


def _split(entry: str) -> tuple[str, int]:
    name, _, version = entry.rpartition(".v")
    return name, int(version)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_a_schema_is_said_in_chinese_and_english_and_is_open(kind: type[Any]) -> None:
    schema = schema_of(kind)
    assert schema["description"].startswith(schema["title"])
    assert any(letter.isascii() and letter.isalpha() for letter in schema["description"])
    assert "``" not in json.dumps(schema)
    assert schema["additionalProperties"] is True
    for name, part in schema.get("$defs", {}).items():
        assert set(part["x-zh"]) == set(part["enum"]), f"{name} lacks a Chinese word"


def test_an_event_that_does_not_say_its_chinese_name_is_refused() -> None:
    @event("visit.made")
    class Visit:
        """A visit."""

        host: str

    with pytest.raises(TypeError, match="Visit does not begin with its Chinese name"):
        schema_of(Visit)
