"""A signed folder: each table as lines of JSON, packed by gzip; a manifest that names them with their digests and says
where each ledger stood; and an Ed25519 signature over the manifest's bytes.

Whoever has the public key can check all of it with `zcat`, `sha256sum` and any Ed25519, without this program.
"""

import base64
import binascii
import gzip
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORMAT = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"

Report = Callable[[int], None]
"""Called with how many rows, or bytes, have been dealt with since the last call."""

_Name = Annotated[str, msgspec.Meta(pattern="^[a-z_]+$")]


class BackupRefused(RuntimeError):
    """The backup, or the database, is not what it has to be; the message says what and the next step."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One table of one service. ``sha256`` (hexadecimal) and ``size`` are of the packed file."""

    service: _Name
    table: _Name
    rows: int
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.service}.{self.table}.jsonl.gz"


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a ledger stood: the ``position`` and ``hash`` (hexadecimal) of its newest event, in its life ``epoch``, by
    the clock of the database at ``taken_at``. ``schemas`` are the Alembic revisions by version table."""

    service: _Name
    epoch: str
    position: int
    hash: str
    taken_at: datetime
    clock: str | None
    simulated_now: datetime | None
    schemas: dict[_Name, str]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder holds. ``keys``: wrapped keys of persons, not to be used after ``expires``."""

    format: int
    kind: Literal["ledgers", "keys"]
    made_at: datetime
    expires: datetime | None = None
    ledgers: tuple[Checkpoint, ...]
    files: tuple[File, ...]

    def of(self, service: str) -> Checkpoint:
        return next(one for one in self.ledgers if one.service == service)


def begin(folder: Path) -> Path:
    """Where the files of ``folder`` are to be written until :func:`finish`. What an interrupted one left is dropped."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    return partial


class Packed:
    """A file that is being written, by `with`; ``file()`` afterwards says what it became."""

    def __init__(self, folder: Path, service: str, table: str) -> None:
        self._service, self._table, self._rows = service, table, 0
        path = folder / f"{service}.{table}.jsonl.gz"
        self._out = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._digest, self._size = hashlib.sha256(), 0
        self._gzip = gzip.GzipFile(fileobj=self, mode="wb", compresslevel=6, mtime=0)

    def write(self, packed: bytes) -> int:
        """What gzip gives."""
        self._digest.update(packed)
        self._size += len(packed)
        return self._out.write(packed)

    def flush(self) -> None:
        self._out.flush()

    def add(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._gzip.write(line.encode() + b"\n")
            self._rows += 1

    def __enter__(self) -> "Packed":
        return self

    def __exit__(self, *_: object) -> None:
        self._gzip.close()
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()

    def file(self) -> File:
        return File(
            service=self._service, table=self._table, rows=self._rows, size=self._size, sha256=self._digest.hexdigest()
        )


def finish(partial: Path, folder: Path, manifest: Manifest, key: Ed25519PrivateKey) -> None:
    """Sign, and let the folder appear under its name: whole or not at all."""
    said = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    for name, content in ((MANIFEST, said), (SIGNATURE, base64.b64encode(key.sign(said)) + b"\n")):
        with os.fdopen(os.open(partial / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
    partial.rename(folder)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(folder: Path, key: Ed25519PublicKey) -> Manifest:
    """The manifest, once its signature is seen to be right.

    Raises:
        BackupRefused: there is none, it was changed, another key signed it, or a newer program made it.
    """
    try:
        said = (folder / MANIFEST).read_bytes()
        signature = base64.b64decode((folder / SIGNATURE).read_bytes(), validate=False)
    except (OSError, binascii.Error):
        raise BackupRefused(
            f"{folder} 不是备份:其中没有可读的 {MANIFEST} 与 {SIGNATURE}。"
            f"{folder} is no backup: {MANIFEST} and {SIGNATURE} cannot be read there."
        ) from None
    try:
        key.verify(signature, said)
    except InvalidSignature:
        raise BackupRefused(
            f"{folder} 的签名不符:清单被改动,或由另一密钥签署(--public 可指明其公钥)。"
            f"The signature of {folder} does not fit: its manifest was changed, or another key signed it (--public names its public half)."
        ) from None
    if msgspec.json.decode(said, type=dict)["format"] != FORMAT:
        raise BackupRefused(
            f"{folder} 由另一版本的程序制作:请用该版本。{folder} was made by another version of this program: use that one."
        )
    return msgspec.json.decode(said, type=Manifest)


def digests(folder: Path, manifest: Manifest, report: Report = lambda _: None) -> None:
    """See that every file is as it was written.

    Raises:
        BackupRefused: one is missing or changed; the message names it.
    """
    for file in manifest.files:
        digest = hashlib.sha256()
        try:
            with (folder / file.name).open("rb") as packed:
                while portion := packed.read(1 << 20):
                    digest.update(portion)
                    report(len(portion))
        except OSError:
            digest = hashlib.sha256(b"nothing")
        if digest.hexdigest() != file.sha256:
            raise changed(folder / file.name)


def changed(path: Path) -> BackupRefused:
    return BackupRefused(f"{path} 缺失或被改动:请用另一份备份。{path} is missing or was changed: use another backup.")


def lines(folder: Path, file: File) -> Iterator[bytes]:
    """The rows of a table, each an object in JSON."""
    with gzip.open(folder / file.name, "rb") as packed:
        for line in packed:
            yield line.rstrip(b"\n")


def portions(found: Iterable[bytes], size: int = 1000) -> Iterator[list[bytes]]:
    """The same, so many at a time."""
    rows = iter(found)
    while portion := list(islice(rows, size)):
        yield portion
