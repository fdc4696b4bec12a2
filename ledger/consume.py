"""Read topics for one handler: an aiokafka consumer whose positions come from the handler's database.

Partitions come and go by the consumer group; where to read in them is the watermark's to say, and the group's committed
offsets are only for those who watch the lag.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.event import Codec
from xiapai_contracts.record import Headers, MalformedRecord, from_headers

from ledger import watermark
from ledger.deliver import Batch, Fenced, Handler, Outcome, StillConflicting, deliver
from ledger.entry import Unavailable
from ledger.kafka import Admin, KafkaSettings, Partition, describe, topic_name
from ledger.reason import reason_of
from ledger.trouble import is_trouble
from ledger.watermark import Watermark

log = logging.getLogger(__name__)

BATCH_RECORDS = 2000
IDLE_MS = 200
COURTESY_SECONDS = 5.0
LEAVE_SECONDS = 5.0
VERIFY_SECONDS = 5.0
PAUSE_SECONDS = (0.1, 5.0)


@dataclass(slots=True)
class Place:
    """A partition that is ours: what we believe its watermark to be. ``verifying`` since a monotonic time: the next
    record must be the one that the watermark names."""

    topic: Any
    mark: Watermark
    verifying: float | None = None
    rewound: bool = False
    scanning: bool = False


@dataclass(slots=True)
class Unreadable:
    """Stands for a record whose bytes the client cannot take apart."""

    offset: int
    headers: Headers
    key: bytes | None = None
    value: bytes | None = None


async def _leave(consumer: AIOKafkaConsumer) -> None:
    """Stop a client, and wait for it a little: one in the middle of joining its group may let nobody end it, and must
    not keep the process from ending."""
    leaving = asyncio.ensure_future(consumer.stop())
    done, _ = await asyncio.wait({leaving}, timeout=LEAVE_SECONDS)
    if not done:
        leaving.cancel()
    elif (error := leaving.exception()) and not isinstance(error, KafkaError | TimeoutError | OSError):
        raise error


class Reader(ConsumerRebalanceListener):  # type: ignore[misc]
    """Delivers to one handler. ``trouble`` is empty while nothing stands in the way; ``alarms`` holds the partitions in
    which events are missing; ``unreadable`` counts records parked raw since the start; ``lag`` counts records."""

    def __init__(self, engine: AsyncEngine, settings: KafkaSettings, codec: Codec, handler: Handler) -> None:
        self.handler = handler
        self._engine, self._settings, self._codec = engine, settings, codec
        self._topics = {topic_name(settings, topic): topic for topic in handler.topics}
        self._places: dict[Partition, Place] = {}
        self._fresh: set[Partition] = set()
        self._generation = 0
        self._busy = asyncio.Lock()
        self._leaving = False
        self._stopping = asyncio.Event()
        self.ended = asyncio.Event()
        self.ended.set()
        self._committed_at = 0.0
        self.trouble = "starting"
        self.alarms: set[Partition] = set()
        self.unreadable = 0
        self.lag = 0
        self.last_progress = monotonic()

    @property
    def partitions(self) -> list[Partition]:
        """The partitions that are ours and in which we know where to read."""
        return sorted(self._places)

    def stop(self) -> None:
        """Finish the batch at hand, then leave the group."""
        self._stopping.set()

    async def run(self) -> None:
        """Read until stopped. Ends with the failure where one is neither the broker's nor the database's."""
        self.ended.clear()
        try:
            await self._run()
        finally:
            self.ended.set()

    async def _run(self) -> None:
        pause = PAUSE_SECONDS[0]
        while not self._stopping.is_set():
            began = monotonic()
            try:
                if await self._topics_are_there():
                    await self._consume()
            except Exception as error:
                if not (isinstance(error, KafkaError) or is_trouble(error)):
                    raise
                self._say(f"broker: {describe(error)}")
            self.last_progress = monotonic()
            pause = PAUSE_SECONDS[0] if monotonic() - began > 10 else min(pause * 2, PAUSE_SECONDS[1])
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.warning("%s: %s", self.handler.name, trouble)
        self.trouble = trouble

    async def _topics_are_there(self) -> bool:
        async with Admin(self._settings) as admin:
            there = await admin.partitions()
        self.last_progress = monotonic()
        for name, topic in self._topics.items():
            if there.get(name) != topic.partitions:
                found = f"has {there[name]} partitions, not {topic.partitions}" if name in there else "is not there"
                self._say(f"topic {name} {found}: the relay of {topic.owner} makes it")
                return False
        return True

    # ---- the group gives and takes partitions ----------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self._leaving = True
        try:
            async with self._busy:
                self._generation += 1
                self._places.clear()
                self._fresh.clear()
                self.alarms.clear()
        finally:
            self._leaving = False

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self._generation += 1
        self._places.clear()
        self._fresh = {(self._topics[one.topic].name, one.partition) for one in assigned}

    def _at_broker(self, partition: Partition) -> TopicPartition:
        return TopicPartition(self._settings.prefix + partition[0], partition[1])

    async def _position(self, consumer: AIOKafkaConsumer) -> None:
        """Find out where to read in the partitions that we were given, and go there."""
        wanted, generation = set(self._fresh), self._generation
        try:
            async with self._engine.begin() as connection:
                marks = await watermark.load(connection, self.handler.name, wanted)
        except Exception as error:
            if not is_trouble(error):
                raise
            self._say(f"database: {reason_of(error)}")
            await asyncio.sleep(0.5)
            return
        if generation != self._generation:
            return
        for partition, mark in marks.items():
            place = Place(self._topic(partition), mark)
            self._go(consumer, partition, place)
            self._places[partition] = place
        self._fresh -= wanted
        self._say("")

    def _topic(self, partition: Partition) -> Any:
        return self._topics[self._settings.prefix + partition[0]]

    def _go(self, consumer: AIOKafkaConsumer, partition: Partition, place: Place) -> None:
        with suppress(IllegalStateError):  # no longer ours: the group has just taken it
            if place.mark.offset < 0:
                place.verifying = None
                consumer.seek(self._at_broker(partition), 0)
            else:
                place.verifying = monotonic()
                consumer.seek(self._at_broker(partition), place.mark.offset)

    def _from_the_beginning(self, consumer: AIOKafkaConsumer, partition: Partition, place: Place) -> None:
        log.warning(
            "%s: %s/%s does not hold what was read at offset %s, reading it from its beginning",
            self.handler.name,
            *partition,
            place.mark.offset,
        )
        place.verifying = None
        with suppress(IllegalStateError):
            consumer.seek(self._at_broker(partition), 0)

    # ---- reading ----------------------------------------------------------------------------------------------------

    async def _consume(self) -> None:
        session = int(self._settings.session_timeout_seconds * 1000)
        consumer = AIOKafkaConsumer(
            **self._settings.connection(),
            group_id=self._settings.prefix + self.handler.name,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=session,
            heartbeat_interval_ms=session // 4,
            max_poll_interval_ms=600_000,
            fetch_max_wait_ms=IDLE_MS,
        )
        consumer.subscribe(list(self._topics), listener=self)
        try:
            await consumer.start()
            while not self._stopping.is_set():
                await self._once(consumer)
        finally:
            self._generation += 1
            self._places.clear()
            self._fresh.clear()
            await _leave(consumer)

    async def _once(self, consumer: AIOKafkaConsumer) -> None:
        if self._fresh:
            await self._position(consumer)
        found: Mapping[TopicPartition, Sequence[Any]]
        positions = await self._positions(consumer)
        try:
            found = await consumer.getmany(timeout_ms=IDLE_MS, max_records=BATCH_RECORDS)
        except UnicodeDecodeError:
            found = await self._step(consumer, positions)
        # No await between here and the lock's check: what was fetched under another assignment is dropped.
        generation = self._generation
        async with self._busy:
            if generation == self._generation:
                await self._handle(consumer, found)
        self._unverified(consumer)
        await self._courtesy(consumer)
        self.last_progress = monotonic()

    async def _positions(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        positions = {}
        for partition in list(self._places):
            with suppress(IllegalStateError):
                positions[self._at_broker(partition)] = await consumer.position(self._at_broker(partition))
        return positions

    async def _step(
        self, consumer: AIOKafkaConsumer, positions: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, Sequence[Any]]:
        """What is there, one partition after another, once the client broke on a record that it cannot take apart (a
        header's name that is not UTF-8). What it had taken out of any partition by then is gone with it, and its
        position moved: read again from ``positions``."""
        found: dict[TopicPartition, Sequence[Any]] = {}
        for at_broker, position in positions.items():
            with suppress(IllegalStateError):  # no longer ours
                consumer.seek(at_broker, position)
                try:
                    found |= await consumer.getmany(at_broker, timeout_ms=IDLE_MS, max_records=BATCH_RECORDS)
                except UnicodeDecodeError:
                    consumer.seek(at_broker, position)
                    found[at_broker] = await self._up_to_unreadable(consumer, at_broker)
        return found

    async def _up_to_unreadable(self, consumer: AIOKafkaConsumer, at_broker: TopicPartition) -> list[Any]:
        """The records of one partition, the last of them `Unreadable` in place of the one that breaks the client."""
        records: list[Any] = []
        while len(records) < BATCH_RECORDS:
            try:
                found = await consumer.getmany(at_broker, timeout_ms=IDLE_MS, max_records=1)
            except UnicodeDecodeError:
                offset = await consumer.position(at_broker)
                consumer.seek(at_broker, offset + 1)
                return [*records, Unreadable(offset, [])]
            if not found:
                break
            records += found[at_broker]
        return records

    def _verified(self, consumer: AIOKafkaConsumer, partition: Partition, records: Sequence[Any]) -> Sequence[Any]:
        """Of these records those that are to be delivered; none where they are not what the watermark expects."""
        place = self._places[partition]
        if place.verifying is None or not records:
            return records
        place.verifying = None
        first, mark = records[0], place.mark
        try:
            meta = from_headers(first.headers)
        except MalformedRecord:
            meta = None
        if (
            meta is None
            or first.offset != mark.offset
            or (meta.epoch, meta.position, meta.hash) != (mark.epoch, mark.reached, mark.hash)
        ):
            self._from_the_beginning(consumer, partition, place)
            return []
        if place.rewound:
            return records[1:]
        if records[-1].offset + 1 < mark.next:
            consumer.seek(self._at_broker(partition), mark.next)
        return [record for record in records if record.offset >= mark.next]

    def _unverified(self, consumer: AIOKafkaConsumer) -> None:
        for partition, place in self._places.items():
            if place.verifying is not None and monotonic() - place.verifying > VERIFY_SECONDS:
                self._from_the_beginning(consumer, partition, place)

    async def _handle(self, consumer: AIOKafkaConsumer, found: Mapping[TopicPartition, Sequence[Any]]) -> None:
        batches: dict[Partition, Batch] = {}
        for at_broker, all_records in found.items():
            partition = (self._topics[at_broker.topic].name, at_broker.partition)
            place = self._places.get(partition)
            if place is not None and (records := self._verified(consumer, partition, all_records)):
                batches[partition] = Batch(place.topic, place.mark, records, place.scanning)
        if not batches:
            return
        try:
            outcome = await self._deliver(batches)
        except Fenced:
            log.info("%s: another reader was here, reading on from where it came to", self.handler.name)
            outcome = None
            await asyncio.sleep(0.2)
        if outcome is None:
            for partition in batches:
                del self._places[partition]
            self._fresh |= set(batches)
            return
        self.unreadable += outcome.unreadable
        for partition, mark in outcome.marks.items():
            self._advance(consumer, partition, mark, partition in outcome.gaps)

    def _advance(self, consumer: AIOKafkaConsumer, partition: Partition, mark: Watermark, gap: bool) -> None:
        place = self._places[partition]
        moved, place.mark = mark.position != place.mark.position or mark.epoch != place.mark.epoch, mark
        if not gap:
            if moved:
                place.rewound = place.scanning = False
                self.alarms.discard(partition)
            return
        if place.scanning:
            return
        if place.rewound:
            place.scanning = True
            self.alarms.add(partition)
            log.error(
                "%s: events are missing in %s/%s after position %s: publish the source's ledger again",
                self.handler.name,
                *partition,
                mark.position,
            )
        place.rewound = True
        self._go(consumer, partition, place)

    async def _deliver(self, batches: Mapping[Partition, Batch]) -> Outcome | None:
        """Try until it is done; None where we are to give the partitions back first."""
        pause = PAUSE_SECONDS[0]
        while True:
            try:
                outcome = await deliver(self._engine, self.handler, self._codec, batches)
                self._say("")
                return outcome
            except Fenced:
                raise
            except Exception as error:
                if not (isinstance(error, (StillConflicting, Unavailable)) or is_trouble(error)):
                    raise
                self._say(f"database: {reason_of(error)}")
                self.last_progress = monotonic()
            if self._leaving or self._stopping.is_set():
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_SECONDS[1])

    async def _courtesy(self, consumer: AIOKafkaConsumer) -> None:
        now = monotonic()
        if now - self._committed_at < COURTESY_SECONDS or not self._places:
            return
        self._committed_at = now
        offsets, lag = {}, 0
        for partition, place in self._places.items():
            at_broker = self._at_broker(partition)
            if at_broker in consumer.assignment():
                offsets[at_broker] = place.mark.next
                lag += max(0, (consumer.highwater(at_broker) or 0) - place.mark.next)
        self.lag = lag
        try:
            await asyncio.wait_for(consumer.commit(offsets), 3.0)
            if self.trouble.startswith("broker"):
                self._say("")
        except (KafkaError, TimeoutError) as error:
            self._say(f"broker: {describe(error)}")
