"""One cell as one value: what each kind of column takes, tidied, or the fault that names what is wrong."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Final

from chassis.days import FIRST, LAST, OUT_OF_RANGE, is_meant
from services.registry import codes
from services.registry.workbook.cells import Cell, Number, Odd
from services.registry.workbook.columns import Column, Kind

MOST_CODE: Final = 32
MOST_TEXT: Final = 200

_UNTIDY = re.compile(r"[\s\u00a0\u200b-\u200d\u2060\ufeff\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\x00-\x1f]")
_INVISIBLE = re.compile(r"[\u200b-\u200d\u2060\ufeff\x00-\x08\x0b\x0c\x0e-\x1f]")
_BLANKS = re.compile(r"\s+")
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af·"
_PADDING = re.compile(rf"(?<=[{_HAN}]) (?=[{_HAN}])")
_FULL_WIDTH: Final = {
    full: full - 0xFEE0 for span in ((0xFF10, 0xFF1A), (0xFF21, 0xFF3B), (0xFF41, 0xFF5B)) for full in range(*span)
}
_DAY = re.compile(
    r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|\.(\d{1,2})\.(\d{1,2})|年(\d{1,2})月(\d{1,2})日)", re.ASCII
)
_WHOLE = re.compile(r"-?\d{1,15}", re.ASCII)
_MOBILE = re.compile(r"1\d{10}", re.ASCII)


class Unread(Exception):
    """The cell cannot be taken. ``code`` is the fault's code, ``facts`` what its sentence says beside."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


Read = Callable[[Cell], object]


def tidy(text: str) -> str:
    """Full-width letters and digits half-width, no blanks at the ends, runs of them one; punctuation stays."""
    if not _UNTIDY.search(text):
        return text
    return _BLANKS.sub(" ", _INVISIBLE.sub("", text.translate(_FULL_WIDTH))).strip()


def tidy_name(text: str) -> str:
    """:func:`tidy`, and without blanks between Chinese characters (张　三 is 张三)."""
    text = tidy(text)
    return _PADDING.sub("", text) if " " in text else text


def reader_for(column: Column) -> Read:
    """The function that reads that column's cells: the value, None where blank, or raises :class:`Unread`."""
    match column.kind:
        case Kind.WORD:
            return _word({**column.words, **column.also}, "、".join(column.words))
        case Kind.DATE:
            return _days()
        case kind:
            return _READERS[kind]


def _text_of(cell: Cell) -> str:
    if type(cell) is str:
        return cell
    if isinstance(cell, Odd):
        raise Unread(cell.value)
    if isinstance(cell, date):
        raise Unread("text-is-a-date")
    if isinstance(cell, Number):
        if _WHOLE.fullmatch(cell.text):
            return cell.text
        raise Unread("text-is-a-number")
    return "TRUE" if cell else "FALSE"


def _code_text(cell: Cell) -> str:
    if isinstance(cell, Number):
        raise Unread("code-is-a-number")
    return _text_of(cell)


def _within(text: str, most: int) -> str | None:
    if len(text) > most:
        raise Unread("text-too-long", limit=str(most))
    return text or None


def _code(cell: Cell) -> object:
    return _within(tidy(codes.half_width(_code_text(cell))), MOST_CODE)


def _text(cell: Cell) -> object:
    return _within(tidy(_text_of(cell)), MOST_TEXT)


def _name(cell: Cell) -> object:
    return _within(tidy_name(_text_of(cell)), MOST_TEXT)


def _checked(check: Callable[[str], str]) -> Read:
    def read(cell: Cell) -> object:
        text = codes.compact(_code_text(cell))
        try:
            return check(text) if text else None
        except codes.BadCode as bad:
            raise Unread(bad.code) from None

    return read


def _phone(cell: Cell) -> object:
    if isinstance(cell, Number) and _MOBILE.fullmatch(cell.text):
        return cell.text
    return _read_phone(cell)


def _yes_no(cell: Cell) -> object:
    if isinstance(cell, bool):
        return cell
    match codes.compact(_text_of(cell)):
        case "是":
            return True
        case "否":
            return False
        case "":
            return None
    raise Unread("not-yes-or-no")


def _word(words: Mapping[str, StrEnum], offered: str) -> Read:
    def read(cell: Cell) -> object:
        if type(cell) is str and cell in words:
            return words[cell]
        text = codes.compact(_text_of(cell))
        if not text:
            return None
        if text not in words:
            raise Unread("word-not-allowed", words=offered)
        return words[text]

    return read


def _days() -> Read:
    seen: dict[str, date] = {}

    def read(cell: Cell) -> object:
        if type(cell) is str:
            day = seen.get(cell)
            if day is None:
                text = codes.compact(cell)
                if not text:
                    return None
                day = _day(text)
                if len(seen) < 20_000:
                    seen[cell] = day
            return day
        if isinstance(cell, Odd):
            raise Unread(cell.value)
        if isinstance(cell, date):
            return _meant(cell)
        raise Unread("date-is-a-number" if isinstance(cell, Number) else "date-not-read")

    return read


def _day(text: str) -> date:
    found = _DAY.fullmatch(text)
    if found is None:
        raise Unread("date-not-read")
    year, month, day = (int(part) for part in found.groups() if part)
    try:
        return _meant(date(year, month, day))
    except ValueError:
        raise Unread("date-not-real") from None


def _meant(day: date) -> date:
    if not is_meant(day):
        raise Unread(OUT_OF_RANGE, first=str(FIRST), last=str(LAST))
    return day


_read_phone = _checked(codes.phone_number)
_READERS: Final[dict[Kind, Read]] = {
    Kind.CODE: _code,
    Kind.CREDIT_CODE: _checked(codes.credit_code),
    Kind.IDENTITY_NUMBER: _checked(codes.identity_number),
    Kind.DIVISION: _checked(codes.division_code),
    Kind.PHONE: _phone,
    Kind.NAME: _name,
    Kind.TEXT: _text,
    Kind.YES_NO: _yes_no,
}
