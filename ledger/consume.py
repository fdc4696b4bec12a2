"""Read topics for one handler: an aiokafka consumer whose positions come from the handler's database.

Partitions come and go by the consumer group (:mod:`ledger.membership`); where to read in them is the watermark's to say,
and the group's committed offsets are only for those who watch the lag.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.event import Codec
from xiapai_contracts.record import MalformedRecord
from xiapai_contracts.topic import Topic

from ledger import watermark
from ledger.database import transaction
from ledger.deliver import Batch, Fenced, Handler, Prepared, StillConflicting, apply, halves, prepare
from ledger.ending import all_of, ended
from ledger.entry import Unavailable
from ledger.fetch import Found, fetch
from ledger.fetched import Fetched
from ledger.kafka import KafkaSettings, Partition, describe, topic_name
from ledger.membership import member, missing_topic
from ledger.trouble import is_trouble, named
from ledger.watermark import Watermark

log = logging.getLogger(__name__)

COURTESY_SECONDS = 5.0
VERIFY_SECONDS = 5.0
PAUSE_SECONDS = (0.1, 5.0)
STOP_SECONDS = 8.0


@dataclass(slots=True)
class Place:
    """A partition that is ours: what we believe its watermark to be. ``read`` is the offset that is fetched next;
    ``verifying`` since a monotonic time: the next record must be the one that the watermark names."""

    topic: Topic
    at_broker: TopicPartition
    mark: Watermark
    read: int = 0
    verifying: float | None = None
    rewound: bool = False
    scanning: bool = False


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
        self._delivery: asyncio.Task[bool] | None = None
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

    async def end(self, running: "asyncio.Task[None]") -> None:
        """Stop what runs, and wait for it. A batch that the database holds up is given up, and comes again."""
        self.stop()
        await asyncio.wait({running}, timeout=STOP_SECONDS)
        await ended([running])

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
                missing = await missing_topic(self._settings, self.handler.topics)
                self.last_progress = monotonic()
                if missing:
                    self._say(missing)
                else:
                    await self._consume()
            except Exception as error:
                if not (isinstance(error, KafkaError) or is_trouble(error)):
                    raise
                self._say(f"broker: {describe(error)}")
            self.last_progress = monotonic()
            pause = PAUSE_SECONDS[0] if monotonic() - began > 10 else min(pause * 2, PAUSE_SECONDS[1])
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.warning("%s: %s", self.handler.name, trouble)
        self.trouble = trouble

    # ---- the group gives and takes partitions ----------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self._leaving = True
        try:
            while self._delivery is not None and not self._delivery.done():
                await asyncio.wait({self._delivery})
            self._forget()
            self.alarms.clear()
        finally:
            self._leaving = False

    def _forget(self) -> None:
        self._generation += 1
        self._places.clear()
        self._fresh.clear()

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self._forget()
        self._fresh = {(self._topics[one.topic].name, one.partition) for one in assigned}
        if not assigned:
            self._say("")  # others read all there is: nothing is in our way

    async def _position(self, consumer: AIOKafkaConsumer) -> None:
        """Find out where to read in the partitions that we were given, and go there."""
        wanted, generation = set(self._fresh), self._generation
        try:
            async with transaction(self._engine) as connection:
                marks = await watermark.load(connection, self.handler.name, wanted)
        except Exception as error:
            if not is_trouble(error):
                raise
            self._say(f"database: {named(error)}")
            await self._pause(0.5)
            return
        if generation != self._generation:
            return
        for partition, mark in marks.items():
            name = self._settings.prefix + partition[0]
            place = Place(self._topics[name], TopicPartition(name, partition[1]), mark)
            self._go(consumer, place)
            self._places[partition] = place
        self._fresh -= wanted
        self._say("")

    def _seek(self, consumer: AIOKafkaConsumer, place: Place, offset: int) -> None:
        place.read = offset
        with suppress(IllegalStateError):  # no longer ours: the group has just taken it
            consumer.seek(place.at_broker, offset)

    def _go(self, consumer: AIOKafkaConsumer, place: Place) -> None:
        there = place.mark.offset >= 0
        place.verifying = monotonic() if there else None
        self._seek(consumer, place, place.mark.offset if there else 0)

    def _from_the_beginning(self, consumer: AIOKafkaConsumer, partition: Partition, place: Place) -> None:
        log.warning(
            "%s: %s/%s does not hold what was read at offset %s, reading it from its beginning",
            self.handler.name,
            *partition,
            place.mark.offset,
        )
        place.verifying = None
        self._seek(consumer, place, 0)

    # ---- reading ----------------------------------------------------------------------------------------------------

    async def _consume(self) -> None:
        group = member(self._settings, self.handler.name, self.handler.topics, self, self._stopping)
        async with group as consumer:
            try:
                while not self._stopping.is_set():
                    await self._once(consumer)
                await self._delivered()
            finally:
                self._forget()
                if self._delivery is not None:
                    await ended([self._delivery])
                    self._delivery = None

    async def _once(self, consumer: AIOKafkaConsumer) -> None:
        """Fetch a batch and sift it while the database is at work on the one before; then hand it over."""
        if self._fresh:
            await self._delivered()
            await self._position(consumer)
        generation, found = await self._fetched(consumer)
        # What was fetched under another assignment is dropped.
        prepared = self._prepared(consumer, found) if generation == self._generation else []
        whole = await self._delivered()
        if prepared and generation == self._generation:
            if whole and not self._leaving:
                self._delivery = asyncio.create_task(self._deliver_all(prepared))
            else:
                for part in prepared:
                    self._again(part)
        self._unverified(consumer)
        await self._courtesy(consumer)
        self.last_progress = monotonic()

    async def _fetched(self, consumer: AIOKafkaConsumer) -> tuple[int, Found]:
        """What is there, and under which assignment; nothing where we are told to stop meanwhile, since the client waits
        as long as a rebalance takes."""
        positions = {place.at_broker: place.read for place in self._places.values()}

        async def fetching() -> tuple[int, Found]:
            generation = self._generation
            return generation, await fetch(consumer, positions)

        fetched, told = asyncio.create_task(fetching()), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({fetched, told}, return_when=asyncio.FIRST_COMPLETED)
            return fetched.result() if fetched.done() else (self._generation, {})
        finally:
            fetched.cancel()
            told.cancel()

    async def _delivered(self) -> bool:
        """Wait until the batch before is in; False where it is not, and its partitions are to be positioned anew."""
        if self._delivery is None:
            return True
        try:
            return await self._delivery
        finally:
            self._delivery = None

    def _verified(
        self, consumer: AIOKafkaConsumer, partition: Partition, records: Sequence[Fetched]
    ) -> Sequence[Fetched]:
        """Of these records those that are to be delivered; none where they are not what the watermark expects."""
        place = self._places[partition]
        if place.verifying is None:
            return records
        place.verifying = None
        first, mark = records[0], place.mark
        meta = first.meta
        if (
            isinstance(meta, MalformedRecord)
            or first.offset != mark.offset
            or (meta.epoch, meta.position, meta.hash) != (mark.epoch, mark.reached, mark.hash)
        ):
            self._from_the_beginning(consumer, partition, place)
            return []
        if place.rewound:
            return records[1:]
        if place.read < mark.next:
            self._seek(consumer, place, mark.next)
        return [record for record in records if record.offset >= mark.next]

    def _unverified(self, consumer: AIOKafkaConsumer) -> None:
        for partition, place in self._places.items():
            if place.verifying is not None and monotonic() - place.verifying > VERIFY_SECONDS:
                self._from_the_beginning(consumer, partition, place)

    def _prepared(self, consumer: AIOKafkaConsumer, found: Found) -> list[Prepared]:
        batches: dict[Partition, Batch] = {}
        for at_broker, all_records in found.items():
            partition = (self._topics[at_broker.topic].name, at_broker.partition)
            place = self._places.get(partition)
            if place is None or not all_records:
                continue
            place.read = all_records[-1].offset + 1
            if records := self._verified(consumer, partition, all_records):
                batches[partition] = Batch(place.topic, place.mark, records, place.scanning)
        parts = [prepare(self._codec, part) for part in halves(batches)]
        for part in parts:
            for partition, mark in part.outcome.marks.items():
                self._advance(consumer, partition, mark, partition in part.outcome.gaps)
        return parts

    def _again(self, prepared: Prepared) -> None:
        """Read from where the database says that these partitions are."""
        for partition in prepared.batches:
            self._places.pop(partition, None)
        self._fresh |= set(prepared.batches)

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
        self._go(consumer, place)

    async def _deliver_all(self, parts: Sequence[Prepared]) -> bool:
        """Each part in a transaction of its own, at once."""
        return all(await all_of(map(self._deliver, parts)))

    async def _deliver(self, prepared: Prepared) -> bool:
        """Try until it is done; False where another reader was here, or where we are to give the partitions back."""
        pause, generation = PAUSE_SECONDS[0], self._generation
        while True:
            try:
                outcome = await apply(self._engine, self.handler, prepared)
            except Fenced:
                log.info("%s: another reader was here, reading on from where it came to", self.handler.name)
                await self._pause(0.2)
                break
            except Exception as error:
                if not (isinstance(error, (StillConflicting, Unavailable)) or is_trouble(error)):
                    raise
                self._say(f"database: {named(error)}")
                self.last_progress = monotonic()
            else:
                self._say("")
                self.unreadable += outcome.unreadable
                return True
            if self._leaving or self._stopping.is_set():
                break
            await self._pause(pause)
            pause = min(pause * 2, PAUSE_SECONDS[1])
        if generation == self._generation:
            self._again(prepared)
        return False

    async def _courtesy(self, consumer: AIOKafkaConsumer) -> None:
        now = monotonic()
        if now - self._committed_at < COURTESY_SECONDS or not self._places:
            return
        self._committed_at = now
        offsets, lag = {}, 0
        for place in self._places.values():
            if place.at_broker in consumer.assignment():
                offsets[place.at_broker] = place.mark.next
                lag += max(0, (consumer.highwater(place.at_broker) or 0) - place.mark.next)
        self.lag = lag
        try:
            async with asyncio.timeout(3.0):
                await consumer.commit(offsets)
            if self.trouble.startswith("broker"):
                self._say("")
        except (KafkaError, TimeoutError) as error:
            self._say(f"broker: {describe(error)}")
