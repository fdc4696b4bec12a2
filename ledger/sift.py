"""What a batch of records of one partition means for a reader that has come to a watermark. Pure: no I/O."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from xiapai_contracts.event import Codec, MalformedEvent, UnknownEvent
from xiapai_contracts.record import KEY_CHANGED, MARKER, Headers, MalformedRecord, Meta, to_headers
from xiapai_contracts.topic import Topic

from ledger.fetched import Fetched
from ledger.watermark import Watermark

BEHIND = "behind an earlier event of its stream"


class Delivered(msgspec.Struct, gc=False):
    """A record for a handler. ``event`` is the decoded event, ``value`` its bytes; in a compacted topic ``event`` is
    None and ``value`` is what is kept for ``meta.stream`` (None: deleted). ``topic`` is without prefix. What follows from
    it belongs to ``traceparent``."""

    meta: Meta
    topic: str
    partition: int
    offset: int
    event: Any
    value: bytes | None
    traceparent: str = ""

    def __post_init__(self) -> None:
        self.traceparent = self.meta.traceparent


@dataclass(slots=True)
class Letter:
    """A record that is parked, and why. ``stream``, ``epoch`` and ``position`` are None where it could not be read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    reason: str
    stream: str | None = None
    epoch: str | None = None
    position: int | None = None


def letter(delivered: Delivered, reason: str) -> Letter:
    """Park a record that could be read."""
    meta = delivered.meta
    return Letter(
        topic=delivered.topic,
        partition=delivered.partition,
        offset=delivered.offset,
        key=meta.stream.encode(),
        value=delivered.value,
        headers=to_headers(meta),
        reason=reason,
        stream=meta.stream,
        epoch=meta.epoch,
        position=meta.position,
    )


@dataclass(slots=True)
class Sifted:
    """``events`` to be applied in order, ``letters`` to be parked, and the watermark after them. ``gap``: events are
    missing before the rest of the batch, which is left out."""

    events: list[Delivered] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    unreadable: int = 0
    mark: Watermark = field(default_factory=Watermark)
    gap: bool = False


def sift(
    topic: Topic, number: int, held: Watermark, records: Sequence[Fetched], codec: Codec, *, scanning: bool = False
) -> Sifted:
    """Drop what is older than ``held``, see that nothing is missing, decode the rest.

    Where the watermark names a life of the source of which no record was seen yet (its offset is -1), a restore has set
    it: until that life begins in the partition, records of others are of lives that are over, and are passed over.

    At a gap the batch ends. When ``scanning``, records after a gap are passed over until one fits again: a relay that
    publishes anew closes the gap further on in the same partition.
    """
    result = Sifted(mark=held)
    epoch, position, reached, hash_, offset, next_ = (
        held.epoch,
        held.position,
        held.reached,
        held.hash,
        held.offset,
        held.next,
    )
    former, reached_at = held.former, held.reached_at
    spoiled: set[str] = set()
    # An unreadable record may be the one that the next record's `previous` names.
    bridge = False
    awaiting = bool(held.epoch) and held.offset < 0
    for record in records:
        meta = _readable(topic, record)
        if isinstance(meta, MalformedRecord):
            result.letters.append(_unreadable(topic, number, record, meta))
            result.unreadable += 1
            bridge = True
            if not result.gap:
                next_ = record.offset + 1
            continue
        awaiting = awaiting and meta.epoch != epoch
        if awaiting or meta.epoch in former:
            if not result.gap:
                next_ = record.offset + 1
            continue
        starts_over = meta.epoch != epoch and meta.previous == 0
        if (meta.epoch != epoch and not starts_over) or (
            not starts_over and meta.previous > position and not bridge and not topic.compacted
        ):
            result.gap = True
            if scanning:
                continue
            break
        result.gap = False
        if starts_over:
            former = (*former, epoch) if epoch else former
            epoch, position, reached, hash_, offset = meta.epoch, 0, 0, b"", -1
        next_ = record.offset + 1
        if meta.type == MARKER:
            position = max(position, meta.previous)
        elif meta.position > position:
            position = meta.position
            found = Delivered(meta, topic.name, number, record.offset, None, record.value)
            if meta.stream in spoiled:
                result.letters.append(letter(found, BEHIND))
            elif reason := _decode(found, codec, topic.compacted):
                spoiled.add(meta.stream)
                result.letters.append(letter(found, reason))
            else:
                result.events.append(found)
        bridge = False
        # The newest word counts, and not the latest moment: the relay's clock may have been set back.
        if meta.position >= reached:
            reached, hash_, offset, reached_at = meta.position, meta.hash, record.offset, meta.published
    result.mark = Watermark(
        epoch=epoch,
        position=position,
        reached=reached,
        hash=hash_,
        offset=offset,
        next=next_,
        former=former,
        reached_at=reached_at,
    )
    return result


def _readable(topic: Topic, record: Fetched) -> Meta | MalformedRecord:
    meta = record.meta
    if isinstance(meta, MalformedRecord):
        return meta
    if meta.source != topic.owner:
        return MalformedRecord(f"the source is not {topic.owner}")
    if meta.type == MARKER:
        if topic.compacted:
            return MalformedRecord("a marker in a compacted topic")
    elif (meta.type == KEY_CHANGED) is not topic.compacted:
        return MalformedRecord("a change of a key belongs into a compacted topic, and only there")
    elif record.key != meta.stream.encode() or not meta.stream:
        return MalformedRecord("the key is not the stream of the headers")
    elif meta.position < 1:
        return MalformedRecord("an event without a position")
    return meta


def _unreadable(topic: Topic, number: int, record: Fetched, error: MalformedRecord) -> Letter:
    return Letter(
        topic=topic.name,
        partition=number,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=record.headers if isinstance(record.meta, MalformedRecord) else to_headers(record.meta),
        reason=f"unreadable: {error}",
    )


def _decode(found: Delivered, codec: Codec, compacted: bool) -> str:
    """Put the event into ``found``; the reason why not, without the values that stand in it."""
    if compacted:
        return ""
    try:
        if found.value is None:
            return "malformed: no value"
        found.event = codec.decode(found.meta.type, found.meta.schema, found.value)
    except UnknownEvent:
        return f"unknown event {found.meta.type} v{found.meta.schema}"
    except MalformedEvent as error:
        return "malformed: " + re.sub(r"'[^']*'|\"[^\"]*\"", "…", str(error))[:200]
    return ""
