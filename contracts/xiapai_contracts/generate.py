"""Writes the documents of this package from its types: ``python -m xiapai_contracts.generate [--check]``.

``schemas/``, ``asyncapi.yaml`` and ``published.json`` are generated; ``golden/`` is written by hand, once for each
version. With ``--check`` nothing is written: the command names the files that differ, and what is incompatible.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from xiapai_contracts import __version__, asyncapi, compatibility, plainyaml, published
from xiapai_contracts.event import event_type
from xiapai_contracts.schema import fingerprint, schema_of
from xiapai_contracts.topic import Topic
from xiapai_contracts.topics import TOPICS

HERE = Path(__file__).parent


class Frozen(ValueError):
    """A published version would change; each argument is a sentence about one."""


def documents(topics: Iterable[Topic], within: Path) -> dict[str, str]:
    """What each generated file should hold, by its path below ``within``.

    Schemas of earlier versions stay as they are; those of the versions known now are made anew.

    Raises:
        Frozen: a version that ``published.json`` lists would bind to something else.
        TypeError: an event without a Chinese name in its docstring.
    """
    topics = tuple(topics)
    listed = within / "published.json"
    manifest: dict[str, str] = msgspec.json.decode(listed.read_bytes()) if listed.exists() else {}
    earlier = published.versions(within) if (within / "schemas").is_dir() else {}
    versions = {name: set(numbers) for name, numbers in earlier.items()}
    made: dict[str, str] = {}
    frozen: list[str] = []
    for name, numbers in earlier.items():
        for number in numbers[:-1]:
            manifest.setdefault(f"{name}.v{number}", fingerprint(published.schema(name, number, within)))
    for event in (event for topic in topics for event in topic.events):
        known, schema = event_type(event), schema_of(event)
        entry, mark = f"{known.event_name}.v{known.event_version}", fingerprint(schema)
        if manifest.setdefault(entry, mark) != mark:
            frozen.append(
                f"{known.event_name} v{known.event_version} is published and would change: raise its version with an upcast, "
                f"or give the event a new name (a version that no release ever held may be struck from published.json)"
            )
        versions.setdefault(known.event_name, set()).add(known.event_version)
        made[f"schemas/{entry}.json"] = _json(schema)
    if frozen:
        raise Frozen(*frozen)
    every = {name: tuple(sorted(numbers)) for name, numbers in versions.items()}
    made["asyncapi.yaml"] = plainyaml.dump(asyncapi.document(topics, every, __version__))
    made["published.json"] = _json(dict(sorted(manifest.items())))
    return made


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def differing(made: dict[str, str], within: Path) -> list[str]:
    """The generated files that are not there or hold something else, by their paths below ``within``."""
    return [
        path
        for path, text in made.items()
        if not (within / path).is_file() or (within / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str] | None = None, *, topics: Iterable[Topic] = TOPICS, within: Path = HERE) -> int:
    """The command. Returns 0, or 1 when a file differs or a version is incompatible; each is named on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m xiapai_contracts.generate", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a committed file differs")
    check = parser.parse_args(arguments).check
    try:
        made = documents(topics, within)
    except Frozen as refused:
        return _fail(refused.args)
    differ = differing(made, within)
    if check and differ:
        return _fail(
            f"{path} differs from what its types say: run python -m xiapai_contracts.generate" for path in differ
        )
    for path in differ:
        (within / path).parent.mkdir(parents=True, exist_ok=True)
        (within / path).write_text(made[path], encoding="utf-8")
        print(f"wrote {path}")
    return _fail(compatibility.troubles(within))


def _fail(sentences: Iterable[str]) -> int:
    said = list(sentences)
    for sentence in said:
        print(sentence, file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
