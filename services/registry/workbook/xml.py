"""A part's XML as a stream: start tags with expat, or finished children of one element with ElementTree; no tree grows.

Building each row's small tree in C and walking it costs a third of calling back into Python for every tag.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser
from xml.parsers import expat

from services.registry.workbook.package import Package, WorkbookRefused


def local(name: str) -> str:
    """A name without its namespace: workbooks come in two of them, transitional and strict."""
    return name.rpartition("}")[2]


def start_tags(package: Package, part: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each start tag of a part, in order: local name, and attributes by local name."""
    found: list[tuple[str, dict[str, str]]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        found.append((local(name), {local(key): value for key, value in attributes.items()}))

    def doctype(*_: object) -> None:
        raise WorkbookRefused("workbook-damaged", part)

    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = doctype
    try:
        for chunk in package.stream(part):
            parser.Parse(chunk, False)
            yield from found
            found.clear()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise WorkbookRefused("workbook-damaged", part) from error
    yield from found


def children(package: Package, part: str, parent: str) -> Iterator[Element]:
    """The finished children of the first element called ``parent``, each let go once it was yielded.

    A child larger than the limit for rows is refused, so memory holds one child and one chunk.
    """
    parser: XMLPullParser[Any] = XMLPullParser(("start",))
    root: Element | None = None
    within: Element | None = None
    waiting = 0
    head = b""
    for chunk in package.stream(part):
        if root is None:
            head += chunk
            # A document type could define entities that unfold without end; it can only stand before the root.
            if b"<!DOCTYPE" in head or b"\x00" in head:
                raise WorkbookRefused("workbook-damaged", part)
        try:
            parser.feed(chunk)
            if within is None:
                for event in parser.read_events():
                    _, element = cast(tuple[str, Element], event)
                    if root is None:
                        root = element
                    if local(element.tag) == parent:
                        within = element
                        break
            deque(parser.read_events(), maxlen=0)
        except ParseError as error:
            raise WorkbookRefused("workbook-damaged", part) from error
        waiting += len(chunk)
        if within is not None and root is not None:
            over = within is not root and root[-1] is not within
            done = len(within) if over else len(within) - 1
            if done > 0:
                batch = within[:done]
                del within[:done]
                waiting = 0
                yield from batch
            if over:
                return
        if waiting > package.limits.row:
            raise WorkbookRefused("workbook-too-large", f"{part}: > {package.limits.row >> 20} MiB")
    try:
        parser.close()
        deque(parser.read_events(), maxlen=0)
    except ParseError as error:
        raise WorkbookRefused("workbook-damaged", part) from error
    if within is not None:
        yield from within
