"""Codes of units and persons: checked for length, alphabet and last character; the division is never checked.

Division 990117, which all demo data uses, is not assigned: a check of divisions would refuse it.
Sources: GB 32100-2015 (unified social credit code), GB 11643-1999 (citizen identity number), GB/T 2260 (divisions).
No refusal repeats the value that it refuses: an identity number is personal.
"""

import re
from collections.abc import Mapping
from datetime import date
from operator import mul

CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100's 31 characters: without I, O, S, V and Z."""

_CREDIT_VALUE = {char: value for value, char in enumerate(CREDIT_ALPHABET)}
_CREDIT_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_CREDIT_SHAPE = re.compile(f"[{CREDIT_ALPHABET}]{{18}}")
_IDENTITY_VALUE = {str(digit): digit for digit in range(10)}
_IDENTITY_WEIGHTS = tuple(pow(2, 17 - i, 11) for i in range(17))
_IDENTITY_CHECK = "10X98765432"
_IDENTITY_SHAPE = re.compile(r"[0-9]{17}[0-9X]")
_DIVISION_SHAPE = re.compile(r"[1-9][0-9]{5}")
_PHONE_SHAPE = re.compile(r"\+?[0-9]{7,15}")

_HALF_WIDTH = {full: full - 0xFEE0 for full in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_BLANKS = dict.fromkeys(map(ord, " \t\r\n\u00a0\u2002\u2003\u2009\u200b\u200c\u200d\u2060\u3000\ufeff"))


class BadCode(ValueError):
    """A code that does not hold. ``code`` is the stable code of the refusal; the value itself is not kept."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def half_width(text: str) -> str:
    """The text with full-width Latin letters, digits, punctuation and blanks (U+FF01-FF5E, U+3000) made half-width."""
    return text if text.isascii() else text.translate(_HALF_WIDTH)


def compact(text: str) -> str:
    """The text half-width and without any blanks, also invisible ones, as codes are written."""
    if text.isascii() and text.isalnum():
        return text
    return half_width(text).translate(_BLANKS)


def credit_code(text: str) -> str:
    """The unified social credit code in normal form (18 characters, upper case).

    Raises :class:`BadCode`: ``uscc-length``, ``uscc-alphabet``, ``uscc-check-digit``.
    The organisation code inside it (characters 9-17) has a check character of its own, which is not checked.
    """
    code = compact(text).upper()
    if len(code) != 18:
        raise BadCode("uscc-length")
    if not _CREDIT_SHAPE.fullmatch(code):
        raise BadCode("uscc-alphabet")
    if code[17] != credit_check_character(code[:17]):
        raise BadCode("uscc-check-digit")
    return code


def credit_check_character(body: str) -> str:
    """The 18th character for the first 17 (weights 3^(i-1) mod 31)."""
    return CREDIT_ALPHABET[-_weighed(body, _CREDIT_VALUE, _CREDIT_WEIGHTS) % 31]


def _weighed(body: str, values: Mapping[str, int], weights: tuple[int, ...]) -> int:
    assert len(body) == len(weights), "the characters before the check character"
    return sum(map(mul, map(values.__getitem__, body), weights))


def make_credit_code(body: str) -> str:
    """A code with its right check character from 17 characters of the alphabet; for synthetic units."""
    return body + credit_check_character(body)


def identity_number(text: str, born: date | None = None) -> str:
    """The citizen identity number in normal form (18 characters, last one 0-9 or X).

    Raises :class:`BadCode`: ``identity-length``, ``identity-alphabet``, ``identity-birth-date`` (no such day),
    ``identity-check-digit``, and, where ``born`` is given, ``identity-birth-date-differs``.
    """
    number = compact(text).upper()
    if len(number) != 18:
        raise BadCode("identity-length")
    if not _IDENTITY_SHAPE.fullmatch(number):
        raise BadCode("identity-alphabet")
    try:
        inside = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise BadCode("identity-birth-date") from None
    if number[17] != identity_check_character(number[:17]):
        raise BadCode("identity-check-digit")
    if born is not None and inside != born:
        raise BadCode("identity-birth-date-differs")
    return number


def identity_check_character(body: str) -> str:
    """The 18th character for the first 17 digits (weights 2^(18-i) mod 11)."""
    return _IDENTITY_CHECK[_weighed(body, _IDENTITY_VALUE, _IDENTITY_WEIGHTS) % 11]


def make_identity_number(division: str, born: date, sequence: int) -> str:
    """A number with its right check character; ``sequence`` 0-999, odd for men, even for women."""
    body = f"{division}{born:%Y%m%d}{sequence:03d}"
    return body + identity_check_character(body)


def division_code(text: str) -> str:
    """A division of GB/T 2260: six digits. Raises :class:`BadCode`: ``division-shape``."""
    code = compact(text)
    if not _DIVISION_SHAPE.fullmatch(code):
        raise BadCode("division-shape")
    return code


def phone_number(text: str) -> str:
    """A telephone number as 7 to 15 digits, perhaps after a plus; hyphens are dropped. Raises :class:`BadCode`."""
    number = compact(text).replace("-", "")
    if not _PHONE_SHAPE.fullmatch(number):
        raise BadCode("phone-shape")
    return number
