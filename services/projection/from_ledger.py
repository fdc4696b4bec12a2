"""Events as a ledger holds them, in the form in which Kafka would have brought them: for a rebuild without Kafka."""

from datetime import UTC, datetime

from xiapai_contracts.record import KEY_CHANGED, Meta
from xiapai_contracts.registry import KEYS
from xiapai_contracts.topics import CODEC

from ledger.deliver import Delivered
from ledger.kafka import partition_of
from ledger.recorded import Recorded
from services.projection.cut import EVENT_TOPICS, SOURCE

_TOPIC_OF = {kind.event_name: topic for topic in EVENT_TOPICS for kind in topic.events}


def delivered(recorded: Recorded, epoch: str) -> Delivered | None:
    """The event as its topic would bring it; None where it is not published. Raises what the codec raises."""
    topic = _TOPIC_OF.get(recorded.name)
    if topic is None:
        return None
    meta = Meta(
        source=SOURCE,
        type=recorded.name,
        epoch=epoch,
        position=recorded.position,
        previous=0,
        published=datetime.now(UTC),
        id=str(recorded.id),
        stream=recorded.stream,
        version=recorded.version,
        schema=recorded.schema,
        by=recorded.by,
        cause=recorded.cause,
        at=recorded.at,
        recorded_at=recorded.recorded_at,
        stream_hash=recorded.stream_hash,
        hash=recorded.hash,
        traceparent=recorded.trace,
    )
    event = CODEC.decode(recorded.name, recorded.schema, recorded.data)
    return Delivered(meta, topic.name, partition_of(recorded.stream, topic.partitions), -1, event, recorded.data)


def delivered_key(stream: str, wrapped: bytes | None, change: int, epoch: str = "") -> Delivered:
    """A person's wrapped key, or its destruction, as the topic of keys would bring it."""
    meta = Meta(
        source=SOURCE,
        type=KEY_CHANGED,
        epoch=epoch,
        position=change,
        previous=0,
        published=datetime.now(UTC),
        stream=stream,
    )
    return Delivered(meta, KEYS.name, partition_of(stream, KEYS.partitions), -1, None, wrapped)
