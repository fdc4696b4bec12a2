"""Where an xlsx keeps what: its parts, its rows by number, their cells by letter, and how headers are compared."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from xml.etree.ElementTree import Element

from services.registry.workbook.cells import column_letters, column_number, letters_of
from services.registry.workbook.package import Package, WorkbookRefused
from services.registry.workbook.values import tidy
from services.registry.workbook.xml import children, start_tags

MOST_ROWS: Final = 1_048_576
MOST_HEADER: Final = 64


def header_of(text: str) -> str:
    """A header as it is compared: no blanks, half-width, without the star that marks what is needed."""
    return "".join(tidy(text).split()).rstrip("*＊")


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the workbook keeps what: sheet name -> part, and the parts shared by all."""

    sheets: dict[str, str]
    strings: str | None
    styles: str | None
    from_1904: bool


def workbook_parts(package: Package) -> Parts:
    """Follows the relationships from the package to the workbook and to its sheets."""
    book = next((target for kind, _, target in _related(package, "") if kind == "officeDocument"), None)
    if book is None or not package.has(book):
        raise WorkbookRefused("workbook-not-xlsx")
    related = list(_related(package, book))
    by_id = {number: target for kind, number, target in related if kind == "worksheet"}
    by_kind = {kind: target for kind, _, target in related if package.has(target)}
    sheets: dict[str, str] = {}
    from_1904 = False
    for name, attributes in start_tags(package, book):
        if name == "workbookPr":
            from_1904 = attributes.get("date1904") in ("1", "true", "on")
        elif name == "sheet" and attributes.get("id") in by_id:
            sheets.setdefault(tidy(attributes.get("name", "")), by_id[attributes["id"]])
    return Parts(sheets, by_kind.get("sharedStrings"), by_kind.get("styles"), from_1904)


def _related(package: Package, part: str) -> Iterator[tuple[str, str, str]]:
    """(kind, id, part) of each relationship inside the package that a part has."""
    home = PurePosixPath(part)
    relations = str(home.parent / "_rels" / f"{home.name}.rels") if part else "_rels/.rels"
    if not package.has(relations):
        raise WorkbookRefused("workbook-not-xlsx")
    for name, attributes in start_tags(package, relations):
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            whole = target[1:] if target.startswith("/") else str(home.parent / target) if part else target
            yield attributes.get("Type", "").rpartition("/")[2], attributes.get("Id", ""), _plain(whole)


def _plain(path: str) -> str:
    steps: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps)


def numbered_rows(package: Package, part: str) -> Iterator[tuple[int, Element]]:
    """Each row element of a sheet with its number. A row may leave its number out; numbers must rise."""
    number = 0
    for element in children(package, part, "sheetData"):
        given = element.get("r")
        if given is None:
            number += 1
        elif given.isdecimal() and number < int(given[:8]) <= MOST_ROWS:
            number = int(given)
        else:
            raise WorkbookRefused("workbook-damaged", part)
        yield number, element


def lettered_cells(row: Element) -> Iterator[tuple[str, Element]]:
    """Each cell of a row with its column's letters. A cell without a reference follows the one before."""
    before = ""
    for cell in row:
        given = cell.get("r")
        before = column_letters(given) if given else letters_of(column_number(before) + 1)
        yield before, cell
