"""The workbook as a stream of rows: each is a typed record, or the faults that keep it from being one."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from xml.etree.ElementTree import Element

import msgspec

from services.registry.workbook.cells import Decoder, Strings, day_styles
from services.registry.workbook.checks import faults_of
from services.registry.workbook.columns import SHEETS, Column, Sheet
from services.registry.workbook.layout import MOST_HEADER, header_of, lettered_cells, numbered_rows, workbook_parts
from services.registry.workbook.package import Limits, MissingHeader, MissingSheet, Package, WorkbookRefused
from services.registry.workbook.rows import Record
from services.registry.workbook.sentences import Fault, fault
from services.registry.workbook.values import Read, Unread, reader_for

MOST_HEADERS: Final = 500
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a sheet that is not blank.

    ``number`` is the row's number as Excel shows it. ``record`` is None exactly where there are ``faults``. ``key`` is
    what other rows and later workbooks know the row by, None where its cells could not be read: refused rows have one
    too, so that what refers to them can say so. ``digest`` (16 bytes) is equal for rows of equal content within one
    opened workbook, whatever their numbers and spelling; keyed, since a plain hash of personal data would give it away.
    """

    sheet: str
    number: int
    record: Record | None
    key: str | None
    digest: bytes | None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What was seen of one sheet before its rows: headers further than the known ones, which are ignored."""

    sheet: str
    header_row: int
    further: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Laid:
    """One sheet as it lies in the file: where its known columns stand."""

    part: str
    header_row: int
    columns: dict[str, Column]
    further: tuple[str, ...]


class Workbook:
    """An opened workbook whose sheets and headers are all there. Rows may be streamed any number of times."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self._key = secrets.token_bytes(16)
        parts = workbook_parts(package)
        lacking = [sheet.name for sheet in SHEETS if sheet.name not in parts.sheets]
        if lacking:
            raise MissingSheet("、".join(lacking))
        strings = Strings(package, parts.strings)
        self.decode = Decoder(strings, day_styles(package, parts.styles), parts.from_1904)
        self._laid = {sheet.name: self._lay(sheet, parts.sheets[sheet.name]) for sheet in SHEETS}
        absent = [
            f"{sheet.name}: {header}"
            for sheet in SHEETS
            for header in sheet.missing({column.header for column in self._laid[sheet.name].columns.values()})
        ]
        if absent:
            raise MissingHeader("、".join(absent))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.package.close()

    def summaries(self) -> list[Summary]:
        """One for each sheet, in the order of :data:`SHEETS`."""
        return [Summary(name, laid.header_row, laid.further) for name, laid in self._laid.items()]

    def part_of(self, sheet: Sheet) -> str:
        """The part of the package that holds the sheet."""
        return self._laid[sheet.name].part

    def header_row(self, sheet: Sheet) -> int:
        """The number of the row in which the sheet's headers stand."""
        return self._laid[sheet.name].header_row

    def rows(self, only: Sheet | None = None) -> Iterator[Row]:
        """Every row that is not blank, sheet by sheet in the order of :data:`SHEETS`, top to bottom.

        Raises :class:`WorkbookRefused` where the file turns out damaged or beyond its limits on the way.
        """
        for sheet in SHEETS if only is None else (only,):
            yield from self._rows(sheet, self._laid[sheet.name])

    def _lay(self, sheet: Sheet, part: str) -> _Laid:
        known = {column.header: column for column in sheet.columns}
        columns: dict[str, Column] = {}
        further: list[str] = []
        for number, element in numbered_rows(self.package, part):
            for letters, cell in lettered_cells(element):
                held = self.decode(cell)
                header = header_of(held) if isinstance(held, str) else ""
                if header in known:
                    columns[letters] = known.pop(header)
                elif any(column.header == header for column in columns.values()):
                    raise WorkbookRefused("header-twice", f"{sheet.name}: {header}")
                elif header and len(further) < MOST_HEADERS:
                    further.append(header[:MOST_HEADER])
            if columns or further:
                return _Laid(part, number, columns, tuple(further))
        return _Laid(part, 0, {}, ())

    def _rows(self, sheet: Sheet, laid: _Laid) -> Iterator[Row]:
        slots = {letters: (column, reader_for(column)) for letters, column in laid.columns.items()}
        for number, element in numbered_rows(self.package, laid.part):
            if number > laid.header_row and len(element):
                row = self._row(sheet, number, element, slots)
                if row is not None:
                    yield row

    def _row(self, sheet: Sheet, number: int, element: Element, slots: dict[str, tuple[Column, Read]]) -> Row | None:
        values: dict[str, object] = {}
        faults: list[Fault] = []
        failed: set[str] = set()
        decode = self.decode
        for letters, cell in lettered_cells(element):
            slot = slots.get(letters)
            if slot is None or (held := decode(cell)) is None:
                continue
            column, read = slot
            try:
                value = read(held)
                if value is not None:
                    values[column.field] = value
            except Unread as unread:
                failed.add(column.field)
                faults.append(fault(unread.code, column.header, **unread.facts))
        if not values and not faults:
            return None
        for column, _ in slots.values():
            if column.required and column.field not in values and column.field not in failed:
                failed.add(column.field)
                faults.append(fault("value-missing", column.header))
        key = None
        if not failed.intersection(sheet.key):
            key = "\x1f".join([str(values.get(name, "")) for name in sheet.key])
        if faults:
            return Row(sheet.name, number, None, key, None, tuple(faults))
        record = sheet.record(**values)  # type: ignore[arg-type]
        faults = faults_of(record)
        if faults:
            return Row(sheet.name, number, None, key, None, tuple(faults))
        digest = hashlib.blake2b(msgspec.msgpack.encode(record), key=self._key, digest_size=_DIGEST_BYTES).digest()
        return Row(sheet.name, number, record, key, digest)


def open_workbook(path: Path, limits: Limits = Limits()) -> Workbook:
    """Opens and looks at the frame: sheets and headers. Raises :class:`WorkbookRefused`, also its two Missing kinds."""
    package = Package(path, limits)
    try:
        return Workbook(package)
    except BaseException:
        package.close()
        raise
