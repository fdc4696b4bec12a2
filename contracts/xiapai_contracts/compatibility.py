"""Whether readers and writers of different versions of an event understand each other.

A writer is closed: it writes the fields of its schema, all of them, and no other. A reader is open: it passes over what
it does not know, and takes the default of a field that is not there. Two schemas are compatible when a new reader can
read what the old writer wrote, and an old reader, of which other departments have some, what the new writer writes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from itertools import combinations
from typing import Any

import msgspec

from xiapai_contracts import published
from xiapai_contracts.schema import fingerprint

Schema = dict[str, Any]

_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_SAME = ("pattern", "multipleOf", "uniqueItems", "contentEncoding")


def differences(old: Schema, new: Schema) -> list[str]:
    """What keeps a new reader from old records, or an old reader from new ones: a sentence each, naming the field.

    Empty where the two are compatible. Words (titles, descriptions) never matter.
    """
    forth = _Reading("a new reader", new, "old records", old, reader_is_older=False)
    back = _Reading("an old reader", old, "new records", new, reader_is_older=True)
    return list(dict.fromkeys([*forth.troubles(new, old), *back.troubles(old, new)]))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One reader before the records of one writer. Schemas that hold ``$ref`` are resolved in the side's own root."""

    reader: str
    reader_root: Schema
    records: str
    writer_root: Schema
    reader_is_older: bool
    within: list[tuple[int, int]] = field(default_factory=list)

    def troubles(self, reads: Schema | bool, writes: Schema | bool, path: str = "") -> Iterator[str]:
        """What of ``writes`` cannot be read as ``reads``."""
        known = _alternatives(reads, self.reader_root)
        for written in _alternatives(writes, self.writer_root):
            fitting = [candidate for candidate in known if _takes(candidate, written)]
            if not fitting:
                expects = " or ".join(_kind(one) for one in known) or "nothing"
                yield f"{self._at(path)}: {self.records} may hold {_kind(written)}, and {self.reader} takes {expects}"
            else:
                yield from min(([*self._within(one, written, path)] for one in fitting), key=len)

    def _at(self, path: str) -> str:
        return f"field {path}" if path else "the event"

    def _within(self, reads: Schema, writes: Schema, path: str) -> Iterator[str]:
        yield from self._values(reads, writes, path)
        if reads.get("type") == "array":
            yield from self._items(reads, writes, path)
        pair = (id(reads), id(writes))
        if reads.get("type") == "object" and pair not in self.within:  # a schema may hold itself
            self.within.append(pair)
            yield from self._fields(reads, writes, path)
            self.within.pop()

    def _values(self, reads: Schema, writes: Schema, path: str) -> Iterator[str]:
        at = self._at(path)
        if (known := _words(reads)) is not None:
            written = _words(writes)
            if written is None:
                yield f"{at}: {self.records} may hold any {_kind(writes)}, and {self.reader} knows only a closed set"
            for word in written or ():
                if word not in known:
                    yield f"{at}: {self.reader} does not know the value {word}, which {self.records} may hold"
            return
        if "format" in reads and reads["format"] != writes.get("format"):
            yield f"{at}: {self.records} may hold {_kind(writes)}, and {self.reader} takes {_kind(reads)}"
        for keyword in _UPPER:
            if keyword in reads and (keyword not in writes or writes[keyword] > reads[keyword]):
                yield f"{at}: {self.records} may be above the {keyword} {reads[keyword]} of {self.reader}"
        for keyword in _LOWER:
            if keyword in reads and (keyword not in writes or writes[keyword] < reads[keyword]):
                yield f"{at}: {self.records} may be below the {keyword} {reads[keyword]} of {self.reader}"
        for keyword in _SAME:
            if reads.get(keyword, False) is not False and reads[keyword] != writes.get(keyword):
                yield f"{at}: {self.records} need not keep to the {keyword} {reads[keyword]} of {self.reader}"

    def _items(self, reads: Schema, writes: Schema, path: str) -> Iterator[str]:
        places = max(len(reads.get("prefixItems", ())), len(writes.get("prefixItems", ())))
        for place in range(places):
            yield from self.troubles(_item(reads, place), _item(writes, place), f"{path}[{place}]")
        yield from self.troubles(reads.get("items", True), writes.get("items", True), f"{path}[]")

    def _fields(self, reads: Schema, writes: Schema, path: str) -> Iterator[str]:
        known, written = reads.get("properties", {}), writes.get("properties", {})
        for name in known:
            inner = f"{path}.{name}" if path else name
            if name in written:
                yield from self.troubles(known[name], written[name], inner)
            elif name in reads.get("required", ()):
                yield f"{self._at(inner)}: {self.reader} requires it, and {self.records} do not hold it"
            elif self.reader_is_older:
                yield f"{self._at(inner)}: it is gone, and {self.reader} would silently take its default"
        others = reads.get("additionalProperties", True)
        if others is True or others == {}:
            return
        for name in written:
            if name not in known:
                yield from self.troubles(others, written[name], f"{path}.{name}" if path else name)
        if isinstance(wide := writes.get("additionalProperties"), dict):
            yield from self.troubles(others, wide, f"{path}.*")


def _alternatives(schema: Schema | bool, root: Schema) -> list[Schema]:
    """The single types of which a value may be, with every ``$ref`` followed."""
    if isinstance(schema, bool):
        return [{}] if schema else []
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
            target = target[step] if step else target
        return _alternatives(target, root)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return [one for part in schema[keyword] for one in _alternatives(part, root)]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": one} for one in schema["type"]]
    if "type" not in schema and (words := _words(schema)) is not None:
        types = {None: "null", bool: "boolean", int: "integer", float: "number", str: "string"}
        of = {types[type(word) if word is not None else None] for word in words}
        return [{**schema, "type": one} for one in sorted(of)]
    return [schema]


def _words(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _takes(reads: Schema, writes: Schema) -> bool:
    expected, given = reads.get("type"), writes.get("type")
    return expected is None or expected == given or (expected, given) == ("number", "integer")


def _kind(schema: Schema) -> str:
    named = str(schema.get("type", "anything"))
    return f"{named} ({schema['format']})" if "format" in schema else named


def _item(schema: Schema, place: int) -> Schema | bool:
    positions = schema.get("prefixItems", ())
    found: Schema | bool = positions[place] if place < len(positions) else schema.get("items", True)
    return found


def troubles(within: Traversable | None = None) -> list[str]:
    """What is wrong with the committed schemas as a whole: a sentence each.

    Every two versions of an event must be compatible, versions count from 1 without gaps, each has its golden JSON, and
    the schema of a published version binds to what ``published.json`` says that it did when it was published.
    """
    place = within or published.folder()
    manifest: dict[str, str] = msgspec.json.decode((place / "published.json").read_bytes())
    found: list[str] = []
    known = published.versions(place)
    for name, numbers in known.items():
        if numbers != tuple(range(1, len(numbers) + 1)):
            found.append(f"{name}: its versions are {numbers}, and should count from 1 without gaps")
        schemas = {number: published.schema(name, number, place) for number in numbers}
        for number in numbers:
            if not (place / "golden" / published.file_name(name, number)).is_file():
                found.append(f"{name} v{number}: it has no golden JSON")
            if (now := fingerprint(schemas[number])) != manifest.get(f"{name}.v{number}", now):
                found.append(f"{name} v{number}: its schema was edited after it had been published")
        for old, new in combinations(numbers, 2):
            found += [f"{name} v{old} and v{new}: {one}" for one in differences(schemas[old], schemas[new])]
    gone = [
        entry for entry in manifest if int(entry.rpartition(".v")[2]) not in known.get(entry.rpartition(".v")[0], ())
    ]
    return found + [f"{entry}: it was published, and its schema is gone" for entry in gone]
