"""Fetch what is there, also where a record's bytes break the client that is to take them apart."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError
from xiapai_contracts.record import Headers

BATCH_RECORDS = 2000
IDLE_MS = 200

Found = Mapping[TopicPartition, Sequence[Any]]


@dataclass(slots=True)
class Unreadable:
    """Stands for a record whose bytes the client cannot take apart."""

    offset: int
    headers: Headers
    key: bytes | None = None
    value: bytes | None = None


async def fetch(consumer: AIOKafkaConsumer, positions: Mapping[TopicPartition, int]) -> Found:
    """What is there of the partitions that are ours, by partition, after a short wait where nothing is. ``positions`` is
    where each is to be read on, for one that had to be read again."""
    try:
        return await consumer.getmany(timeout_ms=IDLE_MS, max_records=BATCH_RECORDS)  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        return await _one_after_another(consumer, positions)


async def _one_after_another(consumer: AIOKafkaConsumer, positions: Mapping[TopicPartition, int]) -> Found:
    """What is there, one partition after another, once the client broke on a record that it cannot take apart (a
    header's name that is not UTF-8). What it had taken out of any partition by then is gone with it, and its
    position moved: read again from ``positions``."""
    found: dict[TopicPartition, Sequence[Any]] = {}
    for partition, position in positions.items():
        with suppress(IllegalStateError):  # no longer ours
            consumer.seek(partition, position)
            try:
                found |= await consumer.getmany(partition, timeout_ms=IDLE_MS, max_records=BATCH_RECORDS)
            except UnicodeDecodeError:
                consumer.seek(partition, position)
                found[partition] = await _up_to_unreadable(consumer, partition)
    return found


async def _up_to_unreadable(consumer: AIOKafkaConsumer, partition: TopicPartition) -> list[Any]:
    """The records of one partition, the last of them `Unreadable` in place of the one that breaks the client."""
    records: list[Any] = []
    while len(records) < BATCH_RECORDS:
        try:
            found = await consumer.getmany(partition, timeout_ms=IDLE_MS, max_records=1)
        except UnicodeDecodeError:
            offset = await consumer.position(partition)
            consumer.seek(partition, offset + 1)
            return [*records, Unreadable(offset, [])]
        if not found:
            break
        records += found[partition]
    return records
