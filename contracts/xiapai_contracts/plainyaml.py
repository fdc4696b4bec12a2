"""Writes plain data as YAML 1.2 that people can read; so much of YAML and no more, so that the package needs no library."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

Plain = Mapping[str, "Plain"] | Sequence["Plain"] | str | int | float | bool | None

_BARE = re.compile(r"[A-Za-z\u4e00-\u9fff_$/][\w\u4e00-\u9fff$/.()-]*( [\w\u4e00-\u9fff$/.();<>+-]+)*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"})


_BLOCK = re.compile(r"\S[^\n]*(\n+\S[^\n]*)+")
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def dump(value: Plain) -> str:
    """``value`` as a YAML document; mappings keep their order."""
    return "\n".join(_lines(value)) + "\n"


def _scalar(value: Plain) -> str:
    if isinstance(value, str):
        if _BARE.fullmatch(value) and value.lower() not in _WORDS:
            return value
        # JSON's strings are YAML's double-quoted ones, but for the characters that YAML does not count as printable.
        return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, Sequence):
        return "[]"
    return json.dumps(value)


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" if line else line for line in lines)


def _lines(value: Plain) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            if isinstance(part, str) and _BLOCK.fullmatch(part) and not _UNPRINTABLE.search(part):
                yield f"{_scalar(key)}: |-"
                yield from _indented(part.split("\n"))
            elif isinstance(part, str | int | float | None) or not part:
                yield f"{_scalar(key)}: {_scalar(part)}"
            else:
                yield f"{_scalar(key)}:"
                yield from _indented(_lines(part))
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for part in value:
            first, *others = _lines(part)
            yield f"- {first}"
            yield from _indented(others)
    else:
        yield _scalar(value)
