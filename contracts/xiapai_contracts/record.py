"""How an event travels on Kafka: CloudEvents 1.0 in binary mode, with what a reader needs to lose and repeat nothing.

The key is the stream; the value is the event's JSON exactly as the ledger holds it; the headers are below. A *marker*
(``ce_type`` ``ledger.marker``, no key, no value) promises that the partition it stands in holds everything of its
ledger up to its position.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

MARKER = "ledger.marker"
KEY_CHANGED = "ledger.key"

Headers = list[tuple[str, bytes]]


class MalformedRecord(ValueError):
    """The headers are not those of a record of this programme; the message says which one and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What the headers of a record say.

    ``epoch`` names the life of the source's ledger: it changes when the ledger is restored from a backup.
    ``position`` counts the source's events without gaps from 1. ``previous`` is the position of the record before this
    one in the same partition (0: none), so that a reader sees a gap. ``version`` counts the stream's events from 1.
    ``hash`` chains the ledger, ``stream_hash`` the stream (SHA-256, 32 bytes; empty on markers without events).
    ``published`` is the real time at which the relay sent it, ``recorded_at`` the ledger's own time.
    """

    source: str
    type: str
    epoch: str
    position: int
    previous: int
    published: datetime
    id: str = ""
    stream: str = ""
    version: int = 0
    schema: int = 1
    by: str = ""
    cause: str = ""
    at: datetime | None = None
    recorded_at: datetime | None = None
    stream_hash: bytes = b""
    hash: bytes = b""
    traceparent: str = ""


def to_headers(meta: Meta) -> Headers:
    """The Kafka headers of ``meta`` (CloudEvents binary mode; extension names are lower-case letters and digits)."""
    headers: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", (meta.id or f"{meta.epoch}/{meta.position}").encode()),
        ("ce_source", f"/{meta.source}".encode()),
        ("ce_type", meta.type.encode()),
        ("ce_epoch", meta.epoch.encode()),
        ("ce_position", b"%d" % meta.position),
        ("ce_previous", b"%d" % meta.previous),
        ("ce_published", meta.published.isoformat().encode()),
        ("ce_hash", meta.hash.hex().encode()),
    ]
    if meta.type == MARKER:
        return headers
    headers += [
        ("content-type", b"application/json"),
        ("ce_subject", meta.stream.encode()),
        ("ce_streamversion", b"%d" % meta.version),
        ("ce_schemaversion", b"%d" % meta.schema),
        ("ce_dataschema", f"urn:xiapai:{meta.type}:{meta.schema}".encode()),
        ("ce_by", meta.by.encode()),
        ("ce_streamhash", meta.stream_hash.hex().encode()),
    ]
    if meta.cause:
        headers.append(("ce_cause", meta.cause.encode()))
    if meta.at is not None:
        headers.append(("ce_at", meta.at.isoformat().encode()))
    if meta.recorded_at is not None:
        headers.append(("ce_time", meta.recorded_at.isoformat().encode()))
    if meta.traceparent:
        headers.append(("traceparent", meta.traceparent.encode()))
    return headers


def from_headers(headers: Iterable[tuple[str, bytes]]) -> Meta:
    """Read the headers back.

    Raises:
        MalformedRecord: a header is missing or cannot be read.
    """
    found = dict(headers)

    def text(name: str, default: str | None = None) -> str:
        value = found.get(name)
        if value is None:
            if default is None:
                raise MalformedRecord(f"header {name} is missing")
            return default
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise MalformedRecord(f"header {name} is not UTF-8") from None

    def number(name: str, default: int | None = None) -> int:
        value = found.get(name)
        if value is None and default is not None:
            return default
        try:
            return int(text(name))
        except ValueError as error:
            raise error if isinstance(error, MalformedRecord) else MalformedRecord(f"header {name} is no number") from None

    def moment(name: str) -> datetime | None:
        value = found.get(name)
        if value is None:
            return None
        try:
            return datetime.fromisoformat(value.decode())
        except ValueError:
            raise MalformedRecord(f"header {name} is no time") from None

    def octets(name: str) -> bytes:
        try:
            return bytes.fromhex(text(name, ""))
        except ValueError as error:
            raise error if isinstance(error, MalformedRecord) else MalformedRecord(f"header {name} is not hex") from None

    published = moment("ce_published")
    if published is None:
        raise MalformedRecord("header ce_published is missing")
    return Meta(
        source=text("ce_source").removeprefix("/"),
        type=text("ce_type"),
        epoch=text("ce_epoch"),
        position=number("ce_position"),
        previous=number("ce_previous"),
        published=published,
        id=text("ce_id"),
        stream=text("ce_subject", ""),
        version=number("ce_streamversion", 0),
        schema=number("ce_schemaversion", 1),
        by=text("ce_by", ""),
        cause=text("ce_cause", ""),
        at=moment("ce_at"),
        recorded_at=moment("ce_time"),
        stream_hash=octets("ce_streamhash"),
        hash=octets("ce_hash"),
        traceparent=text("traceparent", ""),
    )
