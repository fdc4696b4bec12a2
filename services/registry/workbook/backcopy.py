"""The same workbook back, with 导入结果 and 原因 beside each row.

Two cells are spliced into each row of the file's own XML and every other byte is copied, so that columns, formats,
formulas and blank rows come back as they were: a library that reads and writes again would lose some of each.
"""

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import escape

from services.registry.workbook.cells import column_letters, column_number, letters_of
from services.registry.workbook.columns import REASON, RESULT, SHEETS, Outcome, Sheet
from services.registry.workbook.layout import header_of, lettered_cells, numbered_rows
from services.registry.workbook.package import Limits, WorkbookRefused
from services.registry.workbook.reader import Workbook, open_workbook

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPANS = re.compile(rb"""\sspans\s*=\s*("[^"]*"|'[^']*')""")
_LEVEL = 4
_MOST_COLUMNS = 16_384
_MOST_TEXT = 32_000


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row: its number in the sheet, the outcome, and where it was refused the reason."""

    number: int
    outcome: Outcome
    reason: str = ""


Line = tuple[int, tuple[str, str]]
Results = Callable[[str], Iterable[Result]]
"""The results of a sheet by its name, by rising row number. Rows without one (blank rows) get nothing."""


def write_back(original: Path, out: Path, results: Results, limits: Limits = Limits()) -> None:
    """Writes the back-copy of ``original`` to ``out``; bounded memory. Raises as reading does."""
    with (
        open_workbook(original, limits) as workbook,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as target,
    ):
        package = workbook.package
        sheets = {workbook.part_of(sheet).lower(): sheet for sheet in SHEETS}
        for name in package.names():
            if name.endswith("/"):
                continue
            plain = name.lstrip("/")
            entry = zipfile.ZipInfo(name, package.info(plain).date_time)
            entry.compress_type = zipfile.ZIP_DEFLATED
            sheet = sheets.get(plain.lower())
            with target.open(entry, "w", force_zip64=package.info(plain).file_size > 1 << 30) as part:
                content = package.stream(plain)
                if sheet is not None:
                    content = _with_results(plain, sheet, workbook, results)
                for chunk in content:
                    part.write(chunk)


def _with_results(part: str, sheet: Sheet, workbook: Workbook, results: Results) -> Iterator[bytes]:
    package = workbook.package
    header_row = workbook.header_row(sheet)
    columns = _two_columns(workbook, part, header_row)
    head = (header_row, (RESULT, REASON))
    lines = (
        (result.number, (str(result.outcome), result.reason))
        for result in results(sheet.name)
        if result.number > header_row
    )
    splice = _Splice(columns, head, lines)
    try:
        for chunk in package.stream(part):
            yield splice.feed(chunk)
        yield splice.finish()
    except expat.ExpatError as error:
        raise WorkbookRefused("workbook-damaged", part) from error


def _two_columns(workbook: Workbook, part: str, header_row: int) -> tuple[int, int]:
    """Where the results go: where a former back-copy had them, else right of everything that holds a value."""
    former: dict[str, int] = {}
    used: set[str] = set()
    for number, row in numbered_rows(workbook.package, part):
        for letters, cell in lettered_cells(row):
            if len(cell):
                used.add(letters)
                if number == header_row and isinstance(held := workbook.decode(cell), str):
                    former.setdefault(header_of(held), column_number(letters))
    widest = max(map(column_number, used), default=0)
    places: list[int] = []
    for header in (RESULT, REASON):
        if header not in former:
            widest += 1
        places.append(former.get(header, widest))
    if widest > _MOST_COLUMNS:
        raise WorkbookRefused("workbook-too-large", f"{part}: XFD")
    return places[0], places[1]


class _Splice:
    """Copies a sheet's bytes and puts two cells into each row that has a line, in place of what stood there."""

    def __init__(self, columns: tuple[int, int], head: Line, lines: Iterable[Line]) -> None:
        self._columns = columns
        self._lines = chain((head,), lines)
        self._next = next(self._lines, None)
        self._held = bytearray()
        self._base = 0
        self._done = 0
        self._out = bytearray()
        self._within = False
        self._row = 0
        self._column = 0
        self._cutting = ""
        self._cells: list[tuple[int, str]] = []
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def feed(self, chunk: bytes) -> bytes:
        self._held += chunk
        self._parser.Parse(chunk, False)
        # expat may stand in the middle of a tag: what begins at its present place is not decided yet.
        if not self._cutting:
            self._copy(self._parser.CurrentByteIndex)
        del self._held[: self._done - self._base]
        self._base = self._done
        return self._take()

    def finish(self) -> bytes:
        self._parser.Parse(b"", True)
        self._copy(self._base + len(self._held))
        return self._take()

    def _take(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    def _copy(self, upto: int) -> None:
        if upto > self._done:
            self._out += self._held[self._done - self._base : upto - self._base]
            self._done = upto

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        at = self._parser.CurrentByteIndex
        if tag == "sheetData":
            self._within = True
        elif tag == "dimension" and not self._within:
            self._cut(name, at)
        elif self._within and tag == "row":
            self._begin_row(attributes, at)
        elif self._within and tag == "c" and self._cells and not self._cutting:
            given = attributes.get("r")
            self._column = column_number(column_letters(given)) if given else self._column + 1
            self._put(name[:-1], at, self._column)
            if self._column in self._columns:
                self._cut(name, at)

    def _end(self, name: str) -> None:
        at = self._parser.CurrentByteIndex
        if name == self._cutting:
            self._done = at if self._is_empty_tag(name, at) else self._behind_the_tag(at)
            self._cutting = ""
        elif name.rpartition(":")[2] == "row" and self._cells:
            if not self._is_empty_tag(name, at):
                self._put(name[:-3], at, _MOST_COLUMNS + 1)
            self._cells = []
        elif name.rpartition(":")[2] == "sheetData":
            self._within = False

    def _begin_row(self, attributes: dict[str, str], at: int) -> None:
        self._row = int(attributes.get("r", self._row + 1))
        self._column = 0
        while self._next is not None and self._next[0] < self._row:
            self._next = next(self._lines, None)
        self._cells = []
        if self._next is not None and self._next[0] == self._row:
            self._cells = sorted(zip(self._columns, self._next[1], strict=True))
            self._copy(at)
            self._done = self._behind_the_tag(at)
            # The hint of which columns a row spans would be wrong now, and it is optional.
            self._out += _SPANS.sub(b"", bytes(self._held[at - self._base : self._done - self._base]))

    def _put(self, prefix: str, at: int, upto: int) -> None:
        """Writes the cells that stand before column ``upto`` or in it, at that place of the input."""
        while self._cells and self._cells[0][0] <= upto:
            column, text = self._cells.pop(0)
            self._copy(at)
            self._out += _cell(prefix, f"{letters_of(column)}{self._row}", text)

    def _cut(self, name: str, at: int) -> None:
        self._copy(at)
        self._cutting = name

    def _behind_the_tag(self, at: int) -> int:
        return self._held.index(b">", at - self._base) + 1 + self._base

    def _is_empty_tag(self, name: str, at: int) -> bool:
        """Whether the element that ends at this place was ``<name/>``: there expat already stands behind it."""
        return not self._held.startswith(f"</{name}".encode(), at - self._base)


def _cell(prefix: str, reference: str, text: str) -> bytes:
    p = prefix
    if not text:
        return f'<{p}c r="{reference}"/>'.encode()
    words = escape(_NOT_XML.sub("", text)[:_MOST_TEXT])
    return f'<{p}c r="{reference}" t="inlineStr"><{p}is><{p}t>{words}</{p}t></{p}is></{p}c>'.encode()
