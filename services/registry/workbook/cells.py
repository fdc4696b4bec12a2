"""What a cell holds, before anything is asked of it: text, a number as written, a day, a truth, or something odd."""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from xml.etree.ElementTree import Element

from services.registry.workbook.package import Package, WorkbookRefused
from services.registry.workbook.xml import children, local, start_tags


@dataclass(frozen=True, slots=True)
class Number:
    """A number cell that is no date, as it is written in the file."""

    text: str


class Odd(Enum):
    """Cells that hold no value one could take."""

    FORMULA = "formula-not-value"
    ERROR = "cell-error"
    NO_DAY = "date-not-real"


Cell = str | Number | date | bool | Odd

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_NOT_FORMAT = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
_BUILT_IN_DAYS = frozenset(map(str, (*range(14, 18), 22, *range(27, 32), 36, *range(50, 55), 57, 58)))
_DIGITS = "0123456789"
_MOST_DIGITS = 12
_LETTERS = re.compile(r"[A-Z]{0,3}")


class Strings:
    """The shared strings, as one run of UTF-8 with offsets: a quarter of what as many str objects take."""

    def __init__(self, package: Package, part: str | None) -> None:
        self._bytes = bytearray()
        self._ends = array("L", [0])
        if part is None:
            return
        for item in children(package, part, "sst"):
            self._bytes += _rich_text(item).encode("utf-8", "surrogatepass")
            self._ends.append(len(self._bytes))
            if len(self._bytes) + 8 * len(self._ends) > package.limits.strings:
                raise WorkbookRefused("workbook-too-large", f"{part}: > {package.limits.strings >> 20} MiB")

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._ends) - 1:
            raise WorkbookRefused("workbook-damaged", "sharedStrings")
        return self._bytes[self._ends[index] : self._ends[index + 1]].decode("utf-8", "replace")


class Decoder:
    """Turns a ``<c>`` element into its :data:`Cell`, with the workbook's strings, styles and first day."""

    def __init__(self, strings: Strings, day_styles: frozenset[str], from_1904: bool) -> None:
        self._strings = strings
        self._day_styles = day_styles
        self._first = date(1904, 1, 1) if from_1904 else date(1899, 12, 30)
        self._least = 0 if from_1904 else 61

    def __call__(self, cell: Element) -> Cell | None:
        kind = cell.get("t", "n")
        text: str | None = None
        for child in cell:
            tag = child.tag
            if tag.endswith("}v"):
                text = child.text
            elif tag.endswith("}is"):
                text = _rich_text(child)
            elif tag.endswith("}f"):
                return Odd.FORMULA
        if not text:
            return None
        if kind == "inlineStr" or kind == "str":
            return text
        if kind == "s":
            if not (text.isdecimal() and len(text) < _MOST_DIGITS):
                raise WorkbookRefused("workbook-damaged", "sharedStrings")
            return self._strings[int(text)]
        if kind == "n":
            return self._day(text) if cell.get("s") in self._day_styles else Number(text)
        if kind == "b":
            return text == "1"
        if kind == "e":
            return Odd.ERROR
        if kind == "d":
            try:
                return date.fromisoformat(text[:10])
            except ValueError:
                return Odd.NO_DAY
        raise WorkbookRefused("workbook-damaged", "t")

    def _day(self, text: str) -> Cell:
        """The day of a serial number. Before 1900-03-01 the two calendars disagree (serial 60 is no day): not read."""
        try:
            serial = int(float(text))
            if serial < self._least:
                return Odd.NO_DAY
            return self._first + timedelta(serial)
        except (ValueError, OverflowError):
            return Odd.NO_DAY


def column_letters(reference: str) -> str:
    """``AB12`` -> ``AB``."""
    return reference.rstrip(_DIGITS)


def column_number(letters: str) -> int:
    """``A`` -> 1, ``XFD`` -> 16384; no letters -> 0."""
    if not _LETTERS.fullmatch(letters):
        raise WorkbookRefused("workbook-damaged", "r")
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def letters_of(number: int) -> str:
    """1 -> ``A``, 16384 -> ``XFD``."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def day_styles(package: Package, part: str | None) -> frozenset[str]:
    """The style numbers whose number format shows a day.

    Source: ECMA-376 part 1, 18.8.30; the formats 27-36 and 50-58 are the Chinese ones.
    """
    if part is None:
        return frozenset()
    shows: dict[str, bool] = {}
    styles: list[str] = []
    section = ""
    for name, attributes in start_tags(package, part):
        if name == "numFmt" and section == "numFmts":
            shows[attributes.get("numFmtId", "")] = _shows_a_day(attributes.get("formatCode", ""))
        elif name == "xf" and section == "cellXfs":
            styles.append(attributes.get("numFmtId", "0"))
        elif name in ("numFmts", "cellXfs", "cellStyleXfs", "cellStyles", "dxfs"):
            section = name
    return frozenset(str(number) for number, style in enumerate(styles) if shows.get(style, style in _BUILT_IN_DAYS))


def _shows_a_day(code: str) -> bool:
    return not set("yYdD").isdisjoint(_NOT_FORMAT.sub("", code))


def _rich_text(item: Element) -> str:
    text = item[0].text or "" if len(item) == 1 and item[0].tag.endswith("}t") else "".join(_runs(item))
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _runs(item: Element) -> Iterator[str]:
    for child in item:
        name = local(child.tag)
        if name == "t":
            yield child.text or ""
        elif name == "r":
            yield from (part.text or "" for part in child if local(part.tag) == "t")
