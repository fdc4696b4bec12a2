"""Every version ever published keeps one golden JSON, which must decode for ever."""

import dataclasses
import json
from typing import Any

import jsonschema
import pytest
from xiapai_contracts import published
from xiapai_contracts.event import event_type
from xiapai_contracts.topics import CODEC, EVENTS

EVERY = [(name, version) for name, versions in published.versions().items() for version in versions]
BY_NAME: dict[str, type[Any]] = CODEC.types


def test_every_event_of_every_topic_has_all_its_versions_here() -> None:
    known = {(event_type(event).event_name, event_type(event).event_version) for event in EVENTS}
    assert set(EVERY) == {(name, version) for name, newest in known for version in range(1, newest + 1)}


@pytest.mark.parametrize(("name", "version"), EVERY)
def test_it_decodes(name: str, version: int) -> None:
    assert type(CODEC.decode(name, version, published.golden(name, version))) is BY_NAME[name]


@pytest.mark.parametrize(("name", "version"), EVERY)
def test_it_is_valid_by_its_own_schema(name: str, version: int) -> None:
    schema = published.schema(name, version)
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    checker.validate(json.loads(published.golden(name, version)))


@pytest.mark.parametrize(("name", "version"), EVERY)
def test_it_fills_every_field_of_its_version(name: str, version: int) -> None:
    golden = json.loads(published.golden(name, version))
    assert set(golden) == set(published.schema(name, version)["properties"])
    assert [field for field, value in golden.items() if value is None or value == []] == []


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event_type(event).event_name)
def test_the_codec_writes_the_newest_golden_again_byte_by_byte(event: type[Any]) -> None:
    known = event_type(event)
    golden = json.loads(published.golden(known.event_name, known.event_version))
    decoded = CODEC.decode(known.event_name, known.event_version, json.dumps(golden).encode())
    assert CODEC.encode(decoded) == json.dumps(golden, ensure_ascii=False, separators=(",", ":")).encode()
    assert list(golden) == [field.name for field in dataclasses.fields(event)]


def test_a_golden_json_with_a_field_taken_away_does_not_decode() -> None:
    golden = json.loads(published.golden("posting.arrived", 1))
    del golden["host"]
    with pytest.raises(ValueError, match="host"):
        CODEC.decode("posting.arrived", 1, json.dumps(golden).encode())
