"""Fetch what is there, also where a record's bytes break the client that is to take them apart."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError
from xiapai_contracts.record import MalformedRecord

from ledger.fetched import Fetched, read

BATCH_RECORDS = 4000
PORTION = 100
IDLE_MS = 200

Found = Mapping[TopicPartition, Sequence[Fetched]]


async def fetch(consumer: AIOKafkaConsumer, positions: Mapping[TopicPartition, int]) -> Found:
    """What is there of the partitions that are ours, by partition, after a short wait where nothing is. ``positions`` is
    where each is to be read on, for one that had to be read again."""
    found: dict[TopicPartition, list[Fetched]] = {}
    left, wait = BATCH_RECORDS, IDLE_MS
    try:
        while left and (portion := await consumer.getmany(timeout_ms=wait, max_records=min(left, PORTION))):
            for partition, records in portion.items():
                found.setdefault(partition, []).extend(read(records))
                left -= len(records)
            wait = 0
    except UnicodeDecodeError:
        return await _one_after_another(consumer, positions)
    return found


async def _one_after_another(consumer: AIOKafkaConsumer, positions: Mapping[TopicPartition, int]) -> Found:
    """What is there, one partition after another, once the client broke on a record that it cannot take apart (a
    header's name that is not UTF-8). What it had taken out of any partition by then is gone with it, and its
    position moved: read again from ``positions``."""
    found: dict[TopicPartition, list[Fetched]] = {}
    for partition, position in positions.items():
        with suppress(IllegalStateError):  # no longer ours
            consumer.seek(partition, position)
            try:
                portion = await consumer.getmany(partition, timeout_ms=IDLE_MS, max_records=PORTION)
                found[partition] = read(portion.get(partition, []))
            except UnicodeDecodeError:
                consumer.seek(partition, position)
                found[partition] = await _up_to_unreadable(consumer, partition)
    return found


async def _up_to_unreadable(consumer: AIOKafkaConsumer, partition: TopicPartition) -> list[Fetched]:
    """The records of one partition, the last of them said to be malformed in place of the one that breaks the client."""
    records: list[Fetched] = []
    while len(records) < BATCH_RECORDS:
        try:
            found = await consumer.getmany(partition, timeout_ms=IDLE_MS, max_records=1)
        except UnicodeDecodeError:
            offset = await consumer.position(partition)
            consumer.seek(partition, offset + 1)
            return [*records, Fetched(offset, None, None, MalformedRecord("the name of a header is not UTF-8"))]
        if not found:
            break
        records += read(found[partition])
    return records
