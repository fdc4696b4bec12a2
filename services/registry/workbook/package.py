"""The xlsx as a zip from a stranger: opened with every length bounded before anything is read."""

import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from services.registry.workbook.sentences import REFUSALS

CHUNK: Final = 1 << 16
_OLE: Final = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")


class WorkbookRefused(Exception):
    """The workbook as a whole cannot be taken. ``what`` names sheets, headers or a limit, never a cell."""

    def __init__(self, code: str, what: str = "") -> None:
        zh, en = REFUSALS[code]
        self.code = code
        self.what = what
        self.zh = zh.format(what=what)
        self.en = en.format(what=what)
        super().__init__(f"{code}: {self.en}")


class MissingSheet(WorkbookRefused):
    """Sheets that the workbook lacks, named in ``what``."""

    def __init__(self, what: str) -> None:
        super().__init__("sheet-missing", what)


class MissingHeader(WorkbookRefused):
    """Headers that its sheets lack, named in ``what``."""

    def __init__(self, what: str) -> None:
        super().__init__("header-missing", what)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a workbook may cost. Bytes; ``ratio`` is unpacked to packed, and holds for parts above ``ratio_from``."""

    file: int = 256 << 20
    directory: int = 1 << 20
    part: int = 1 << 30
    ratio: int = 250
    ratio_from: int = 8 << 20
    small_part: int = 16 << 20
    strings: int = 256 << 20
    row: int = 4 << 20


class Package:
    """An opened xlsx. ``stream`` yields a part's bytes; every refusal is a :class:`WorkbookRefused`."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.limits = limits
        _look_at_the_outside(path, limits)
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
            raise WorkbookRefused("workbook-not-xlsx") from error
        try:
            self._parts = {info.filename.lstrip("/").lower(): info for info in self._zip.infolist()}
            self._refuse_what_it_carries()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._zip.close()

    def has(self, name: str) -> bool:
        return name.lower() in self._parts

    def names(self) -> list[str]:
        """Names of all parts as they are stored."""
        return self._zip.namelist()

    def info(self, name: str) -> zipfile.ZipInfo:
        return self._parts[name.lower()]

    def stream(self, name: str, limit: int | None = None) -> Iterator[bytes]:
        """The part's bytes, unpacked, in chunks. zipfile reads no more than the length that was checked here."""
        info = self._parts.get(name.lower())
        if info is None:
            raise WorkbookRefused("workbook-damaged", name)
        most = self.limits.part if limit is None else limit
        if info.file_size > most:
            raise WorkbookRefused("workbook-too-large", f"{name} > {most >> 20} MiB")
        if info.file_size > self.limits.ratio_from and info.file_size > info.compress_size * self.limits.ratio:
            raise WorkbookRefused("workbook-too-large", f"{name}: 1:{self.limits.ratio}")
        try:
            with self._zip.open(info) as part:
                while chunk := part.read(CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, zlib.error) as error:
            raise WorkbookRefused("workbook-damaged", name) from error
        except RuntimeError as error:
            raise WorkbookRefused("workbook-encrypted") from error

    def read(self, name: str) -> bytes:
        """A small part whole."""
        return b"".join(self.stream(name, self.limits.small_part))

    def _refuse_what_it_carries(self) -> None:
        if any(info.flag_bits & 1 for info in self._parts.values()):
            raise WorkbookRefused("workbook-encrypted")
        if not self.has("[Content_Types].xml"):
            raise WorkbookRefused("workbook-not-xlsx")
        types = self.read("[Content_Types].xml")
        if (
            b"macroEnabled" in types
            or b"vbaProject" in types
            or any(name.endswith("vbaproject.bin") for name in self._parts)
        ):
            raise WorkbookRefused("workbook-has-macros")
        if any(name.startswith("xl/externallinks/") for name in self._parts):
            raise WorkbookRefused("workbook-links-outside")


def _look_at_the_outside(path: Path, limits: Limits) -> None:
    size = path.stat().st_size
    if size > limits.file:
        raise WorkbookRefused("workbook-too-large", f"> {limits.file >> 20} MiB")
    with path.open("rb") as file:
        if file.read(8) == _OLE:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                raise WorkbookRefused("workbook-encrypted" if whole.find(_ENCRYPTED) >= 0 else "workbook-old-xls")
        file.seek(max(0, size - 65_557))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        raise WorkbookRefused("workbook-not-xlsx")
    # zipfile builds an object for each entry of the directory, so its length is bounded before zipfile sees the file;
    # a zip64 directory is only needed for more entries or bytes than are allowed here.
    (directory,) = struct.unpack_from("<L", tail, end + 12)
    if directory > limits.directory or tail[max(0, end - 20) : end].startswith(b"PK\x06\x07"):
        raise WorkbookRefused("workbook-too-large", "zip")
