"""Old and new readers and writers of an event understand each other, and where they do not, it is said how."""

from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from xiapai_contracts.compatibility import differences, troubles
from xiapai_contracts.event import event
from xiapai_contracts.schema import schema_of

Schema = dict[str, Any]


class Weather(StrEnum):
    """天气."""

    RAIN = "RAIN"
    SUN = "SUN"


class MoreWeather(StrEnum):
    """天气."""

    RAIN = "RAIN"
    SUN = "SUN"
    SNOW = "SNOW"


def visit(**fields: Any) -> Schema:
    """The schema of an event with these fields: a type, or a pair of type and default."""
    body: dict[str, Any] = {"__doc__": "走访: a visit.", "__annotations__": {}}
    for name, given in fields.items():
        kind, *default = given if isinstance(given, tuple) else (given,)
        body["__annotations__"][name] = kind
        if default:
            body[name] = default[0]
    return schema_of(event("visit.made")(type("Visit", (), body)))


BASE = visit(host=str, on=date)


def test_an_event_is_compatible_with_itself() -> None:
    assert differences(BASE, BASE) == []


def test_a_new_field_with_a_default_is_compatible() -> None:
    assert differences(BASE, visit(host=str, on=date, people=(int, 1), seen=(Weather | None, None))) == []


def test_words_may_be_bettered() -> None:
    assert differences(BASE, {**BASE, "title": "巡访", "description": "better said"}) == []


def test_the_order_of_fields_does_not_matter() -> None:
    assert differences(BASE, visit(on=date, host=str)) == []


def test_a_field_may_get_or_lose_its_default_since_the_writer_writes_it_always() -> None:
    assert differences(visit(people=(int, 1)), visit(people=int)) == []
    assert differences(visit(people=int), visit(people=(int, 1))) == []


INCOMPATIBLE: list[tuple[str, Schema, Schema, list[str]]] = [
    (
        "a field is removed",
        visit(host=str, on=date),
        visit(host=str),
        ["field on: an old reader requires it, and new records do not hold it"],
    ),
    (
        "a field with a default is removed",
        visit(host=str, people=(int, 1)),
        visit(host=str),
        ["field people: it is gone, and an old reader would silently take its default"],
    ),
    (
        "a field is renamed",
        visit(host=str),
        visit(place=str),
        [
            "field place: a new reader requires it, and old records do not hold it",
            "field host: an old reader requires it, and new records do not hold it",
        ],
    ),
    (
        "a new field has no default",
        visit(host=str),
        visit(host=str, on=date),
        ["field on: a new reader requires it, and old records do not hold it"],
    ),
    (
        "a type is changed",
        visit(people=int),
        visit(people=str),
        [
            "field people: old records may hold integer, and a new reader takes string",
            "field people: new records may hold string, and an old reader takes integer",
        ],
    ),
    (
        "None is no longer allowed",
        visit(duty=str | None),
        visit(duty=str),
        ["field duty: old records may hold null, and a new reader takes string"],
    ),
    (
        "None becomes allowed",
        visit(duty=str),
        visit(duty=str | None),
        ["field duty: new records may hold null, and an old reader takes string"],
    ),
    (
        "a number becomes whole",
        visit(share=float),
        visit(share=int),
        ["field share: old records may hold number, and a new reader takes integer"],
    ),
    (
        "a text becomes a date",
        visit(on=str),
        visit(on=date),
        ["field on: old records may hold string, and a new reader takes string (date)"],
    ),
    (
        "a date becomes a moment",
        visit(on=date),
        visit(on=Annotated[datetime, msgspec.Meta(tz=True)]),
        [
            "field on: old records may hold string (date), and a new reader takes string (date-time)",
            "field on: new records may hold string (date-time), and an old reader takes string (date)",
        ],
    ),
    (
        "a word is added to a closed set",
        visit(sky=Weather),
        visit(sky=MoreWeather),
        ["field sky: an old reader does not know the value SNOW, which new records may hold"],
    ),
    (
        "a word is taken from a closed set",
        visit(sky=MoreWeather | None),
        visit(sky=Weather | None),
        ["field sky: a new reader does not know the value SNOW, which old records may hold"],
    ),
    (
        "a text becomes a closed set",
        visit(sky=str),
        visit(sky=Weather),
        ["field sky: old records may hold any string, and a new reader knows only a closed set"],
    ),
    (
        "a literal is another one",
        visit(kind=Literal["a"]),
        visit(kind=Literal["b"]),
        [
            "field kind: a new reader does not know the value a, which old records may hold",
            "field kind: an old reader does not know the value b, which new records may hold",
        ],
    ),
    (
        "what a list holds is changed",
        visit(fields=tuple[str, ...]),
        visit(fields=tuple[int, ...]),
        [
            "field fields[]: old records may hold string, and a new reader takes integer",
            "field fields[]: new records may hold integer, and an old reader takes string",
        ],
    ),
    (
        "a list becomes a single value",
        visit(fields=tuple[str, ...]),
        visit(fields=str),
        [
            "field fields: old records may hold array, and a new reader takes string",
            "field fields: new records may hold string, and an old reader takes array",
        ],
    ),
    (
        "a pair becomes a triple",
        visit(place=tuple[str, int]),
        visit(place=tuple[str, int, int]),
        [
            "field place: old records may be below the minItems 3 of a new reader",
            "field place: new records may be above the maxItems 2 of an old reader",
            "field place[2]: new records may hold integer, and an old reader takes nothing",
        ],
    ),
    (
        "what a mapping holds is changed",
        visit(marks=dict[str, int]),
        visit(marks=dict[str, int | None]),
        ["field marks.*: new records may hold null, and an old reader takes integer"],
    ),
    (
        "a text may be longer",
        visit(host=Annotated[str, msgspec.Meta(max_length=32)]),
        visit(host=Annotated[str, msgspec.Meta(max_length=64)]),
        ["field host: new records may be above the maxLength 32 of an old reader"],
    ),
    (
        "a text gets a pattern",
        visit(host=str),
        visit(host=Annotated[str, msgspec.Meta(pattern="^CW-")]),
        ["field host: old records need not keep to the pattern ^CW- of a new reader"],
    ),
    (
        "a number gets a floor",
        visit(people=int),
        visit(people=Annotated[int, msgspec.Meta(ge=1)]),
        ["field people: old records may be below the minimum 1 of a new reader"],
    ),
    (
        "a field within a field is removed",
        visit(place=msgspec.defstruct("Place", [("unit", str), ("room", str)])),
        visit(place=msgspec.defstruct("Place", [("unit", str)])),
        ["field place.room: an old reader requires it, and new records do not hold it"],
    ),
    (
        "a reader is closed",
        {**visit(host=str), "additionalProperties": False},
        visit(host=str, people=(int, 1)),
        ["field people: new records may hold integer, and an old reader takes nothing"],
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "says"), [case[1:] for case in INCOMPATIBLE], ids=[case[0] for case in INCOMPATIBLE]
)
def test_an_incompatible_change_is_named(old: Schema, new: Schema, says: list[str]) -> None:
    assert differences(old, new) == says


def _names_alone(old: Schema, new: Schema) -> list[str]:
    """A check as one might write it at first: the old fields are still there, and no new one is required."""
    gone = set(old["properties"]) - set(new["properties"])
    return sorted(gone | (set(new["required"]) - set(old["properties"])))


def _one_direction(old: Schema, new: Schema) -> list[str]:
    """The check, but only for new readers."""
    return [said for said in differences(old, new) if "a new reader" in said]


@pytest.mark.parametrize(("naive", "least"), [(_names_alone, 12), (_one_direction, 6)])
def test_a_naive_check_passes_changes_that_this_one_names(naive: Callable[..., list[str]], least: int) -> None:
    missed = [name for name, old, new, _ in INCOMPATIBLE if not naive(old, new)]
    assert len(missed) >= least


def test_a_schema_that_holds_itself_is_compared_to_its_end() -> None:
    def tree(leaf: str) -> Schema:
        part = {
            "type": "object",
            "properties": {"leaf": {"type": leaf}, "more": {"$ref": "#/$defs/T"}},
            "required": ["leaf"],
        }
        return {"$ref": "#/$defs/T", "$defs": {"T": part}}

    assert differences(tree("string"), tree("string")) == []
    assert differences(tree("string"), tree("integer")) != []


def test_an_object_is_compared_wherever_it_is_used() -> None:
    def pair(kind: Any) -> Schema:
        place = msgspec.defstruct("Place", [("unit", kind)])
        return visit(sender=place, host=place)

    said = differences(pair(str | None), pair(str))
    assert [sentence.split(":")[0] for sentence in said] == ["field sender.unit", "field host.unit"]


def test_every_committed_version_understands_every_other() -> None:
    assert troubles() == []
