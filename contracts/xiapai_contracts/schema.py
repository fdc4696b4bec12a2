"""The JSON Schema of an event, made from its dataclass: the words from the docstrings, the Chinese of each term beside."""

import hashlib
import inspect
import re
from typing import Any

import msgspec

from xiapai_contracts import terms
from xiapai_contracts.event import event_type
from xiapai_contracts.record import data_schema

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_WORDS = frozenset({"title", "description", "x-zh"})
_BY_NAME = frozenset({"properties", "$defs"})
_TITLE = re.compile(r"[\u4e00-\u9fff]+")
_ZH: dict[str, str] = {term.value: zh for term, zh in terms.ZH.items()}


def title(event: type[Any]) -> str:
    """The Chinese name with which the docstring begins.

    Raises:
        TypeError: the docstring does not begin with one.
    """
    found = _TITLE.match(inspect.getdoc(event) or "")
    if found is None:
        raise TypeError(f"the docstring of {event.__name__} does not begin with its Chinese name")
    return found.group()


def description(documented: type[Any]) -> str:
    """The docstring, each paragraph on one line."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(documented.__doc__ or ""))
    return "\n\n".join(_plain(paragraph) for paragraph in paragraphs)


def _plain(paragraph: str) -> str:
    """One line, without the marks of a docstring."""
    return re.sub(r":[a-z]+:(?=`)", "", " ".join(paragraph.split())).replace("``", "`")


def schema_of(event: type[Any]) -> Schema:
    """The JSON Schema (draft 2020-12) of an event type, open to fields that it does not name.

    Raises:
        TypeError: no event, or a docstring without its Chinese name.
    """
    known = event_type(event)
    made = msgspec.json.schema(event)
    definitions = made["$defs"]
    own = definitions.pop(made["$ref"].rpartition("/")[2])
    fields = {name: _described(field) for name, field in own["properties"].items()}
    result: Schema = {
        "$schema": DRAFT,
        "$id": data_schema(known.event_name, known.event_version),
        "title": title(event),
        "description": description(event),
        "type": "object",
        "properties": fields,
        "required": own["required"],
        "additionalProperties": True,
    }
    if definitions:
        result["$defs"] = {name: _described(part) for name, part in sorted(definitions.items())}
    return result


def _described(part: Schema) -> Schema:
    """A definition with its docstring on one line and the Chinese word of each of its values."""
    part = dict(part)
    if "description" in part:
        part["description"] = _plain(part["description"])
    zh = {value: _ZH[value] for value in part.get("enum", ()) if value in _ZH}
    if zh:
        part["x-zh"] = zh
    if part.get("type") == "object" and "properties" in part:
        part.setdefault("additionalProperties", True)
    return part


def binding(schema: Schema) -> Schema:
    """The schema without its words: what a published version may never change."""
    kept: Schema = {}
    for key, value in schema.items():
        if key in _WORDS:
            continue
        if key in _BY_NAME:
            kept[key] = {name: binding(part) for name, part in value.items()}
        elif isinstance(value, dict) and key not in ("default", "const"):
            kept[key] = binding(value)
        elif isinstance(value, list) and key not in ("default", "const", "enum", "required"):
            kept[key] = [binding(part) if isinstance(part, dict) else part for part in value]
        else:
            kept[key] = value
    return kept


def fingerprint(schema: Schema) -> str:
    """SHA-256, in hex, of what binds in a schema; its titles and descriptions may be bettered."""
    return hashlib.sha256(msgspec.json.encode(binding(schema), order="sorted")).hexdigest()
