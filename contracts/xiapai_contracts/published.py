"""The documents that travel with this package: a JSON Schema and a golden JSON of every version ever published.

>>> schema("posting.approved", 1)["title"]
'派驻批准'
"""

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import msgspec

Schema = dict[str, Any]


def folder() -> Traversable:
    """Where the package keeps its documents, also when it is installed."""
    return files("xiapai_contracts")


def file_name(name: str, version: int) -> str:
    """``posting.approved.v1.json``, the same in ``schemas/`` and in ``golden/``."""
    return f"{name}.v{version}.json"


def versions(within: Traversable | None = None) -> Mapping[str, tuple[int, ...]]:
    """The versions of each event that have a schema, ascending; names in order."""
    found: dict[str, list[int]] = {}
    for file in ((within or folder()) / "schemas").iterdir():
        name, mark, number = file.name.removesuffix(".json").rpartition(".v")
        if mark and number.isdigit() and file.name.endswith(".json"):
            found.setdefault(name, []).append(int(number))
    return {name: tuple(sorted(numbers)) for name, numbers in sorted(found.items())}


def schema(name: str, version: int, within: Traversable | None = None) -> Schema:
    """The JSON Schema (draft 2020-12) of one version of one event.

    Raises:
        FileNotFoundError: it was never published.
    """
    found: Schema = msgspec.json.decode(((within or folder()) / "schemas" / file_name(name, version)).read_bytes())
    return found


def golden(name: str, version: int, within: Traversable | None = None) -> bytes:
    """One JSON that must decode for ever, of one version of one event.

    Raises:
        FileNotFoundError: it was never published.
    """
    return ((within or folder()) / "golden" / file_name(name, version)).read_bytes()


def asyncapi() -> str:
    """The AsyncAPI 3.0 document of all topics, as YAML."""
    return (folder() / "asyncapi.yaml").read_text(encoding="utf-8")
