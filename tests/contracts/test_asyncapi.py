"""The AsyncAPI document holds every topic and event, its references lead somewhere, and it is built as AsyncAPI 3.0 asks."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from xiapai_contracts import published
from xiapai_contracts.event import event_type
from xiapai_contracts.record import KEY_CHANGED, MARKER
from xiapai_contracts.topic import Topic
from xiapai_contracts.topics import TOPICS

DOCUMENT: dict[str, Any] = yaml.safe_load(published.asyncapi())

REFERENCE = {
    "type": "object",
    "properties": {"$ref": {"type": "string"}},
    "required": ["$ref"],
    "additionalProperties": False,
}
BINDINGS = {
    "type": "object",
    "properties": {
        "kafka": {
            "type": "object",
            "properties": {
                "topic": {"type": "string"},
                "partitions": {"type": "integer", "minimum": 1},
                "replicas": {"type": "integer", "minimum": 1},
                "key": {"type": "object"},
                "topicConfiguration": {
                    "type": "object",
                    "properties": {
                        "cleanup.policy": {"type": "array", "items": {"enum": ["delete", "compact"]}},
                        "retention.ms": {"type": "integer", "minimum": -1},
                    },
                    "additionalProperties": False,
                },
                "bindingVersion": {"const": "0.5.0"},
            },
            "required": ["bindingVersion"],
            "additionalProperties": False,
        }
    },
    "additionalProperties": False,
}
TAGS = {"type": "array", "items": {"type": "object", "required": ["name"]}}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """An object of the specification: only its fields, and extensions."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "patternProperties": {"^x-[a-z-]+$": {}},
        "additionalProperties": False,
    }


def _named(part: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "patternProperties": {r"^[A-Za-z0-9._-]+$": part}, "additionalProperties": False}


TEXT = {"type": "string", "minLength": 1}
WORDS = {"title": TEXT, "summary": TEXT, "description": TEXT}
MESSAGE = _object(
    {
        **WORDS,
        "name": TEXT,
        "contentType": TEXT,
        "headers": REFERENCE,
        "payload": {
            "anyOf": [
                _object({"schemaFormat": TEXT, "schema": REFERENCE}, "schemaFormat", "schema"),
                {"type": "object", "required": ["type"]},
            ]
        },
        "bindings": BINDINGS,
    },
    "name",
    "title",
    "summary",
    "headers",
    "payload",
)
# The parts of the AsyncAPI 3.0.0 specification that the document uses, each closed as the specification closes it.
SPECIFICATION = _object(
    {
        "asyncapi": {"const": "3.0.0"},
        "id": {"type": "string", "format": "uri"},
        "info": _object(
            {**WORDS, "version": TEXT, "license": _object({"name": TEXT, "url": TEXT}, "name"), "tags": TAGS},
            "title",
            "version",
        ),
        "defaultContentType": TEXT,
        "channels": _named(
            _object(
                {**WORDS, "address": TEXT, "messages": _named(REFERENCE), "bindings": BINDINGS},
                "address",
                "messages",
                "description",
            )
        ),
        "operations": _named(
            _object(
                {
                    **WORDS,
                    "action": {"enum": ["send", "receive"]},
                    "channel": REFERENCE,
                    "messages": {"type": "array", "items": REFERENCE, "minItems": 1},
                    "tags": TAGS,
                },
                "action",
                "channel",
            )
        ),
        "components": _object({"messages": _named(MESSAGE), "schemas": _named({"type": "object"})}),
    },
    "asyncapi",
    "info",
    "channels",
    "operations",
)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for part in node.values():
            yield from _references(part)
    elif isinstance(node, list):
        for part in node:
            yield from _references(part)


def _resolve(reference: str) -> Any:
    file, _, pointer = reference.partition("#")
    found = json.loads((published.folder() / file).read_text(encoding="utf-8")) if file else DOCUMENT
    for step in filter(None, pointer.split("/")):
        found = found[step]
    return found


def test_it_is_built_as_the_specification_asks() -> None:
    jsonschema.Draft202012Validator(SPECIFICATION).validate(DOCUMENT)


@pytest.mark.parametrize("harm", ["channels", "address", "messages"])
def test_a_document_without_a_needed_part_is_not_taken_for_one(harm: str) -> None:
    harmed = json.loads(json.dumps(DOCUMENT))
    holder = harmed if harm == "channels" else harmed["channels"]["registry.postings"]
    del holder[harm]
    with pytest.raises(jsonschema.ValidationError, match=harm):
        jsonschema.Draft202012Validator(SPECIFICATION).validate(harmed)


def test_every_reference_leads_somewhere() -> None:
    references = set(_references(DOCUMENT))
    assert len(references) > len(TOPICS)
    assert [reference for reference in references if not _resolve(reference)] == []


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_stands_there_as_it_is_declared(topic: Topic) -> None:
    channel = DOCUMENT["channels"][topic.name]
    kafka = channel["bindings"]["kafka"]
    retention = kafka["topicConfiguration"]["retention.ms"]
    assert (channel["address"], kafka["topic"], kafka["partitions"]) == (topic.name, topic.name, topic.partitions)
    assert retention == (-1 if topic.retention_hours is None else topic.retention_hours * 60 * 60 * 1000)
    assert kafka["topicConfiguration"]["cleanup.policy"] == ["compact" if topic.compacted else "delete"]
    assert channel.get("x-restricted", False) is topic.restricted
    assert re.search(r"[\u4e00-\u9fff]", channel["description"]) and "Written by" in channel["description"]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_its_owner_and_nobody_else_sends_all_that_it_carries(topic: Topic) -> None:
    sending = [
        operation
        for operation in DOCUMENT["operations"].values()
        if operation["channel"]["$ref"] == f"#/channels/{topic.name}"
    ]
    assert [(operation["action"], operation["tags"]) for operation in sending] == [("send", [{"name": topic.owner}])]
    carried = [reference["$ref"].rpartition("/")[2] for reference in sending[0]["messages"]]
    events = [
        f"{event_type(event).event_name}.v{version}"
        for event in topic.events
        for version in range(1, event_type(event).event_version + 1)
    ]
    assert carried == [*events, KEY_CHANGED if topic.compacted else MARKER]
    assert list(DOCUMENT["channels"][topic.name]["messages"]) == carried


def test_no_other_topic_stands_there() -> None:
    assert list(DOCUMENT["channels"]) == [topic.name for topic in TOPICS]
    assert len(DOCUMENT["operations"]) == len(TOPICS)


def test_keys_of_persons_are_restricted_and_postings_are_not() -> None:
    restricted = [name for name, channel in DOCUMENT["channels"].items() if channel.get("x-restricted")]
    assert restricted == ["registry.keys"]
    assert DOCUMENT["operations"]["send-registry.keys"]["x-restricted"] is True


@pytest.mark.parametrize(
    "name", [name for name in DOCUMENT["components"]["messages"] if name not in (MARKER, KEY_CHANGED)]
)
def test_the_payload_of_an_event_is_its_own_schema(name: str) -> None:
    event, _, version = name.rpartition(".v")
    payload = DOCUMENT["components"]["messages"][name]["payload"]["schema"]["$ref"]
    assert _resolve(payload)["$id"] == f"urn:xiapai:{event}:{version}"
