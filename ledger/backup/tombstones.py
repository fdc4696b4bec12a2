"""Which keys the broker knows to be destroyed: an erasure that came after a backup is remembered there."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from xiapai_contracts.topic import Topic

from ledger.kafka import Admin, KafkaSettings, topic_name


async def tombstones(settings: KafkaSettings, topic: Topic) -> set[str] | None:
    """The streams whose newest record in a compacted topic is a deletion; None where the topic is not there, or empty.

    Raises:
        KafkaError, OSError: the broker is away.
    """
    name = topic_name(settings, topic)
    async with Admin(settings) as admin:
        count = (await admin.partitions()).get(name)
    if count is None:
        return None
    newest: dict[bytes, bool] = {}
    consumer = AIOKafkaConsumer(**settings.connection(), enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await consumer.start()
        places = [TopicPartition(name, number) for number in range(count)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                newest |= {record.key: record.value is None for record in records if record.key}
    finally:
        await consumer.stop()
    return {stream.decode(errors="replace") for stream, gone in newest.items() if gone} if newest else None
