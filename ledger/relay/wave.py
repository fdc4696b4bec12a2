"""What goes to Kafka at once: the records of some portions of the ledger, in batches, and where the ledger stands after them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import msgspec
from xiapai_contracts.record import KEY_CHANGED, MARKER, Meta, to_headers
from xiapai_contracts.topic import Topic

from ledger import tracing
from ledger.kafka import Partition, partition_of
from ledger.recorded import Recorded
from ledger.relay.checkpoint import Checkpoint, Reached
from ledger.relay.portion import Key, Portion
from ledger.relay.publisher import Publisher, Queue

Queues = dict[Partition, Queue]


@dataclass(slots=True)
class Wave:
    """Keys are sent before events. ``last`` is the last event (None: there is none), ``change`` the last change of a key
    (0: none); ``size`` counts both."""

    keys: Queues = field(default_factory=lambda: defaultdict(Queue))
    events: Queues = field(default_factory=lambda: defaultdict(Queue))
    last: Recorded | None = None
    change: int = 0
    size: int = 0


class Waves:
    """Makes the waves of one session, which begins at a checkpoint, and sends them."""

    def __init__(
        self, publisher: Publisher, service: str, topics: Sequence[Topic], keyring: Topic | None, begins: Checkpoint
    ) -> None:
        self._publisher, self._service, self._keyring, self._epoch = publisher, service, keyring, begins.epoch
        self._topic_of = {event.event_name: topic for topic in topics for event in topic.events}
        self._evented = {topic.name for topic in topics if topic.events}
        self._tails = {partition: reached.position for partition, reached in begins.partitions.items()}

    def add(self, wave: Wave, portion: Portion) -> None:
        """Put what was read behind what the wave holds."""
        now, exporting = datetime.now(UTC), tracing.exporting()
        for key in portion.keys:
            self._add_key(wave, key, now)
        for recorded in portion.events:
            topic = self._topic_of.get(recorded.name)
            if topic is None:
                continue
            partition = (topic.name, partition_of(recorded.stream, topic.partitions))
            queue = wave.events[partition]
            meta = self._meta(recorded, queue.event or self._tails.get(partition, 0), now)
            if exporting:
                queue.parts.append(made := self._part(recorded, topic, partition))
                meta = msgspec.structs.replace(meta, traceparent=made.traceparent)
            self._publisher.add(queue, recorded.stream.encode(), recorded.data, to_headers(meta))
            queue.at = queue.event = recorded.position
        self._tails.update((partition, queue.event) for partition, queue in wave.events.items())
        if portion.events:
            wave.last = portion.events[-1]
        if portion.keys:
            wave.change = portion.keys[-1].change
        wave.size += len(portion.events) + len(portion.keys)

    def _add_key(self, wave: Wave, key: Key, now: datetime) -> None:
        assert self._keyring is not None
        queue = wave.keys[self._keyring.name, partition_of(key.stream, self._keyring.partitions)]
        meta = Meta(
            source=self._service,
            type=KEY_CHANGED,
            epoch=self._epoch,
            position=key.change,
            previous=0,
            published=now,
            id=f"{self._epoch}/key/{key.change}",
            stream=key.stream,
        )
        self._publisher.add(queue, key.stream.encode(), key.wrapped, to_headers(meta))
        queue.at = key.change

    def _part(self, recorded: Recorded, topic: Topic, partition: Partition) -> tracing.Part:
        """A span of this event, in the trace of the command that it comes from; whoever reads the record goes on there."""
        attributes: tracing.Attributes = {
            "messaging.system": "kafka",
            "messaging.destination.name": topic.name,
            "messaging.destination.partition.id": str(partition[1]),
            "xiapai.event": recorded.name,
            "xiapai.position": recorded.position,
        }
        return tracing.part(f"publish {self._service}", recorded.trace, "producer", attributes)

    def _meta(self, recorded: Recorded, previous: int, now: datetime) -> Meta:
        # In the order of its fields: with seventeen names it takes 0.84 us, without 0.17.
        return Meta(
            self._service,
            recorded.name,
            self._epoch,
            recorded.position,
            previous,
            now,
            str(recorded.id),
            recorded.stream,
            recorded.version,
            recorded.schema,
            recorded.by,
            recorded.cause,
            recorded.at,
            recorded.recorded_at,
            recorded.stream_hash,
            recorded.hash,
            recorded.trace,
        )

    async def ship(self, wave: Wave, current: Checkpoint) -> Checkpoint:
        """Send it; the checkpoint once the broker has acknowledged all of it."""
        partitions = dict(current.partitions)
        for queues in (wave.keys, wave.events):
            for partition, offset in (await self._publisher.send(queues)).items():
                queue = queues[partition]
                partitions[partition] = Reached(queue.event or current.of(partition).position, offset, queue.at)
        if wave.last is not None:
            current = replace(current, position=wave.last.position, hash=wave.last.hash)
        return replace(current, keys=wave.change or current.keys, partitions=partitions)

    async def mark(self, topics: Sequence[Topic], current: Checkpoint) -> Checkpoint:
        """Markers to every partition of these topics: what the checkpoint says is there."""
        now, queues = datetime.now(UTC), Queues()
        for topic in topics:
            for number in range(topic.partitions):
                meta = Meta(
                    source=self._service,
                    type=MARKER,
                    epoch=self._epoch,
                    position=current.position,
                    previous=current.of((topic.name, number)).position,
                    published=now,
                    hash=current.hash,
                )
                queue = queues[topic.name, number] = Queue(at=current.position)
                self._publisher.add(queue, None, None, to_headers(meta))
        partitions = dict(current.partitions)
        for partition, offset in (await self._publisher.send(queues)).items():
            if partition[0] in self._evented:
                partitions[partition] = Reached(current.of(partition).position, offset, current.position)
        return replace(current, partitions=partitions)
