"""Does the broker still have what it acknowledged? A broker or a topic that was lost is found here."""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.record import MalformedRecord, Meta, from_headers
from xiapai_contracts.topic import Topic

from ledger.ending import closed
from ledger.kafka import Admin, KafkaSettings, Partition, topic_name
from ledger.relay.checkpoint import Checkpoint, Contradicted, Reached, hash_at

READ_SECONDS = 5.0


class LogLost(Exception):
    """The broker no longer has what it acknowledged; the message says where."""


class Witness:
    """Compares the broker's log with a checkpoint. Raises `LogLost`; `Contradicted` where the log is as it was and the
    ledger is not; KafkaError where the broker is away."""

    def __init__(self, engine: AsyncEngine, settings: KafkaSettings, topics: Iterable[Topic]) -> None:
        self._engine, self._settings = engine, settings
        self._topics = {topic.name: topic for topic in topics}

    async def look(self, checkpoint: Checkpoint, *, read: bool) -> None:
        """Whether topics and ends of partitions are as they were; with ``read`` also whether each partition's last
        acknowledged record is what was written there (a topic deleted and filled again has another)."""
        if not checkpoint.position and not checkpoint.keys:
            return
        async with Admin(self._settings) as admin:
            there = await admin.partitions()
        for topic in self._topics.values():
            if (topic.events or topic.compacted) and topic_name(self._settings, topic) not in there:
                raise LogLost(f"topic {topic.name} is gone")
        kept = {
            partition: reached
            for partition, reached in checkpoint.partitions.items()
            if reached.offset >= 0
            and partition[0] in self._topics
            and self._topics[partition[0]].retention_hours is None
        }
        if not kept:
            return
        consumer = AIOKafkaConsumer(**self._settings.connection(), enable_auto_commit=False, auto_offset_reset="none")
        try:
            await consumer.start()
            await self._ends(consumer, kept)
            if read:
                await self._records(consumer, checkpoint, kept)
        finally:
            await closed(consumer.stop())

    def _at_broker(self, partition: Partition) -> TopicPartition:
        return TopicPartition(self._settings.prefix + partition[0], partition[1])

    async def _ends(self, consumer: AIOKafkaConsumer, kept: Mapping[Partition, Reached]) -> None:
        ends = await consumer.end_offsets([self._at_broker(partition) for partition in kept])
        for partition, reached in kept.items():
            if ends[self._at_broker(partition)] <= reached.offset:
                raise LogLost(f"{partition[0]}/{partition[1]} ends before offset {reached.offset}")

    async def _records(
        self, consumer: AIOKafkaConsumer, checkpoint: Checkpoint, kept: Mapping[Partition, Reached]
    ) -> None:
        waiting = {self._at_broker(partition): partition for partition in kept}
        consumer.assign(list(waiting))
        for partition, reached in kept.items():
            consumer.seek(self._at_broker(partition), reached.offset)
        deadline = asyncio.get_running_loop().time() + READ_SECONDS
        while waiting and asyncio.get_running_loop().time() < deadline:
            for found, records in (await consumer.getmany(timeout_ms=500, max_records=500)).items():
                if found not in waiting:
                    continue
                partition = waiting.pop(found)
                consumer.pause(found)
                reached, compacted = kept[partition], self._topics[partition[0]].compacted
                if records[0].offset != reached.offset:
                    if compacted:
                        continue
                    raise LogLost(f"{partition[0]}/{partition[1]} has no record at offset {reached.offset}")
                meta = _readable(records[0].headers)
                if meta is None or (meta.epoch, meta.position) != (checkpoint.epoch, reached.at):
                    raise LogLost(f"{partition[0]}/{partition[1]} has another record at offset {reached.offset}")
                if not compacted and meta.hash != await self._hash_at(reached.at):
                    raise Contradicted(f"{partition[0]}/{partition[1]} has another hash of {reached.at}")
        # Within compacted topics nothing may be left to read; elsewhere no answer is no proof of a loss.
        silent = [partition for partition in waiting.values() if not self._topics[partition[0]].compacted]
        if silent:
            raise KafkaTimeoutError(f"{silent[0][0]}/{silent[0][1]} does not answer")

    async def _hash_at(self, position: int) -> bytes:
        async with self._engine.connect() as connection:
            return await hash_at(connection, position)


def _readable(headers: Iterable[tuple[str, bytes]]) -> Meta | None:
    try:
        return from_headers(headers)
    except MalformedRecord:
        return None
