"""文号 the number of a basis document, with its brackets made equal: 广文[2026]3号 is 广文〔2026〕3号 (R1)."""

import re
from dataclasses import dataclass
from functools import lru_cache

_BRACKETS = str.maketrans(dict.fromkeys("[［(（【〖", "〔") | dict.fromkeys("]］)）】〗", "〕"))
_DIGITS = str.maketrans({chr(0xFF10 + n): str(n) for n in range(10)})
_NUMBERED = re.compile(r"(?P<issuer>.*)〔(?P<year>[0-9]{4})〕第?(?P<serial>[0-9]{1,9})号")


@dataclass(frozen=True, slots=True)
class Document:
    """A document; ``year`` and ``serial`` are None where its text has no such number."""

    text: str
    year: int | None
    serial: int | None


@lru_cache(maxsize=4096)
def document(basis: str) -> Document:
    """The document that a posting cites; two ways to write one give equal results."""
    text = "".join(basis.split()).translate(_BRACKETS).translate(_DIGITS)
    found = _NUMBERED.fullmatch(text)
    if found is None:
        return Document(text, None, None)
    year, serial = int(found["year"]), int(found["serial"])
    return Document(f"{found['issuer']}〔{year}〕{serial}号", year, serial)
