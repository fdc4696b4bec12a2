"""What others saw of a ledger, held against it.

The chains prove that a ledger is whole as far as it goes. They prove neither that it goes as far as it should, nor that
nobody has written rows and all later hashes anew. So it is held against what was seen of it before: by its topics, which
are kept without end and tell position and hash of every event, and by what its database remembers beside it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError
from sqlalchemy import ARRAY, BigInteger, any_, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.record import MARKER, MalformedRecord
from xiapai_contracts.topic import Topic

from ledger.chain import Broken
from ledger.fetch import fetch
from ledger.fetched import Fetched
from ledger.kafka import Admin, KafkaSettings, topic_name
from ledger.membership import leave
from ledger.reader import head
from ledger.schema import events, meta, published, requests

SILENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The ledger's row at a position, as somebody saw it. ``trace`` is None where it was not told (a marker)."""

    position: int
    hash: bytes
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Testimony:
    """Records of one partition of a topic: how many there were, what those of this life say, and how many were another
    life's."""

    topic: str
    records: int
    seen: Sequence[Seen]
    others: int


async def remembered(connection: AsyncConnection) -> int:
    """The highest position that the database remembers beside the ledger: what the relay has published in this life,
    what answered requests were told."""
    relayed = select(published.c.position).join(meta, meta.c.epoch == published.c.epoch).scalar_subquery()
    answered = select(func.max(requests.c.position)).scalar_subquery()
    return int(await connection.scalar(select(func.greatest(0, relayed, answered))) or 0)


async def contradiction(connection: AsyncConnection, seen: Iterable[Seen]) -> Broken | None:
    """The first position at which the ledger is not what was seen: it ends before (``tail``), the row is not there
    (``gap``), its hash is another (``rewritten``) or its trace (``trace``)."""
    said = sorted((one for one in seen if one.position), key=lambda one: one.position)
    wanted = literal(list({one.position for one in said}), ARRAY(BigInteger))
    rows = await connection.execute(
        select(events.c.position, events.c.stream, events.c.hash, events.c.trace).where(
            events.c.position == any_(wanted)
        )
    )
    there = {row.position: row for row in rows}
    for one in said:
        row = there.get(one.position)
        if row is None:
            last = await head(connection)
            return Broken(min(one.position, last + 1), "", "tail" if one.position > last else "gap")
        if bytes(row.hash) != one.hash:
            return Broken(one.position, row.stream, "rewritten")
        if one.trace is not None and row.trace != one.trace:
            return Broken(one.position, row.stream, "trace")
    return None


async def in_topics(
    settings: KafkaSettings, topics: Iterable[Topic], source: str, epoch: str
) -> AsyncIterator[tuple[Testimony, int]]:
    """All that the topics of ``source`` hold of its ledger's life ``epoch``, portion by portion, each with the number of
    records that are left. Of a topic without events, which gets a marker every second, the newest marker alone.

    Raises:
        KafkaError, OSError, TimeoutError: the broker is away, or says nothing for ten seconds.
    """
    async with Admin(settings) as admin:
        there = await admin.partitions()
    places = {
        TopicPartition(topic_name(settings, topic), number): topic
        for topic in topics
        if not topic.compacted
        for number in range(there.get(topic_name(settings, topic), 0))
    }
    if not places:
        return
    consumer = AIOKafkaConsumer(**settings.connection(), enable_auto_commit=False, auto_offset_reset="none")
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            await consumer.start()
            begins, ends = await consumer.beginning_offsets(list(places)), await consumer.end_offsets(list(places))
        starts = {
            place: begins[place] if topic.events else max(begins[place], ends[place] - 1)
            for place, topic in places.items()
        }
        left = sum(ends[place] - starts[place] for place in places)
        consumer.assign(list(places))
        for place, start in starts.items():
            consumer.seek(place, start)
        async for place, records in _records(consumer, starts, ends):
            testimony = _told(places[place], records, source, epoch)
            left -= testimony.records
            yield testimony, left
    finally:
        await leave(consumer)


async def _records(
    consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> AsyncIterator[tuple[TopicPartition, Sequence[Fetched]]]:
    clock = asyncio.get_running_loop().time
    since, positions = clock(), {place: start for place, start in starts.items() if start < ends[place]}
    while positions:
        for place, records in (await fetch(consumer, positions)).items():
            if place not in positions or not records:
                continue
            since, positions[place] = clock(), records[-1].offset + 1
            yield place, [record for record in records if record.offset < ends[place]]
            if positions[place] >= ends[place]:
                del positions[place]
                consumer.pause(place)
        if clock() - since > SILENCE_SECONDS:
            raise KafkaTimeoutError("the broker does not answer")


def _told(topic: Topic, records: Sequence[Fetched], source: str, epoch: str) -> Testimony:
    seen, others = [], 0
    for record in records:
        found = record.meta
        if isinstance(found, MalformedRecord) or found.source != source:
            continue
        if found.epoch != epoch:
            others += 1
            continue
        seen.append(Seen(found.position, found.hash, None if found.type == MARKER else found.traceparent))
    return Testimony(topic.name, len(records), seen, others)
