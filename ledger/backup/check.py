"""Check a backup without a database: what was written is there, and both chains lead to what was signed."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec

from ledger.backup.folder import BackupRefused, Checkpoint, Manifest, Report, digests, lines
from ledger.backup.save import EVENTS
from ledger.chain import GENESIS, Verifier
from ledger.recorded import Recorded


class _Line(msgspec.Struct):
    position: int
    stream: str
    version: int
    name: str
    schema: int
    data: str
    id: UUID
    cause: str
    by: str
    at: datetime
    recorded_at: datetime
    trace: str
    stream_hash: str
    hash: str


_decoder = msgspec.json.Decoder(_Line)


def recorded(line: bytes) -> Recorded:
    """An event as PostgreSQL wrote it into JSON: octets as ``\\x`` and hexadecimal."""
    said = _decoder.decode(line)
    return Recorded(
        said.position,
        said.stream,
        said.version,
        said.name,
        said.schema,
        bytes.fromhex(said.data[2:]),
        said.id,
        said.cause,
        said.by,
        said.at,
        said.recorded_at,
        said.trace,
        bytes.fromhex(said.stream_hash[2:]),
        bytes.fromhex(said.hash[2:]),
    )


def verified(events: Iterable[bytes], signed: Checkpoint) -> Iterator[bytes]:
    """The same lines, each seen to continue both chains; at the end they have led to the signed checkpoint.

    Raises:
        BackupRefused: they do not; the message says where.
    """
    verifier = Verifier()
    for line in events:
        broken = verifier.check(recorded(line))
        if broken is not None:
            raise BackupRefused(
                f"{signed.service} 第 {broken.position} 条的链不符({broken.what}):请用另一份备份。"
                f"{signed.service}: the chain is broken at {broken.position} ({broken.what}): use another backup."
            )
        yield line
    if (verifier.position, verifier.hash) != (signed.position, bytes.fromhex(signed.hash) or GENESIS):
        raise BackupRefused(
            f"{signed.service} 止于 {verifier.position},签署的是 {signed.position}:请用另一份备份。"
            f"{signed.service} ends at {verifier.position}, and {signed.position} was signed: use another backup."
        )


def check(folder: Path, manifest: Manifest, report: Report = lambda _: None) -> None:
    """Digests of all files, both chains of every ledger. ``report`` counts events.

    Raises:
        BackupRefused: what does not hold.
    """
    digests(folder, manifest)
    for file in manifest.files:
        if file.table == EVENTS.table:
            for _ in verified(lines(folder, file), manifest.of(file.service)):
                report(1)
