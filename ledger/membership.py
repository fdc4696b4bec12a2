"""Coming and going in a consumer group: a client that joins, and leaves quickly, whatever it is in the middle of."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from xiapai_contracts.topic import Topic

from ledger.kafka import Admin, KafkaSettings, topic_name

FETCH_WAIT_MS = 200
LEAVE_SECONDS = 1.0


async def missing_topic(settings: KafkaSettings, topics: Iterable[Topic]) -> str:
    """What keeps these topics from being read, in a few words; empty where all are there. Raises KafkaError."""
    async with Admin(settings) as admin:
        there = await admin.partitions()
    for topic in topics:
        name = topic_name(settings, topic)
        if there.get(name) != topic.partitions:
            found = f"has {there[name]} partitions, not {topic.partitions}" if name in there else "is not there"
            return f"topic {name} {found}: the relay of {topic.owner} makes it"
    return ""


@asynccontextmanager
async def member(
    settings: KafkaSettings,
    group: str,
    topics: Iterable[Topic],
    listener: ConsumerRebalanceListener,
    stopping: asyncio.Event,
) -> AsyncIterator[AIOKafkaConsumer]:
    """A client that is in its group, or is still joining where ``stopping`` was set meanwhile; it leaves at the end.
    Raises KafkaError."""
    session = int(settings.session_timeout_seconds * 1000)
    consumer = AIOKafkaConsumer(
        **settings.connection(),
        group_id=settings.prefix + group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=session,
        heartbeat_interval_ms=session // 4,
        max_poll_interval_ms=600_000,
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    consumer.subscribe([topic_name(settings, topic) for topic in topics], listener=listener)
    joining, told = asyncio.ensure_future(consumer.start()), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({joining, told}, return_when=asyncio.FIRST_COMPLETED)
        if joining.done():
            joining.result()
        yield consumer
    finally:
        joining.cancel()
        told.cancel()
        await leave(consumer)


async def leave(consumer: AIOKafkaConsumer) -> None:
    """Stop a client. One in the middle of joining waits for the broker's answer, which comes when all other members have
    joined again or are given up: after 3 s on the embedded broker, and 11 s beside one that died. Cancelled, it would
    leave its tasks and connections behind; with its connections closed it ends by itself."""
    leaving = asyncio.ensure_future(consumer.stop())
    done, _ = await asyncio.wait({leaving}, timeout=LEAVE_SECONDS)
    if not done:
        await asyncio.wait({asyncio.ensure_future(consumer._client.close())}, timeout=LEAVE_SECONDS)
        done, _ = await asyncio.wait({leaving}, timeout=LEAVE_SECONDS)
    if not done:
        leaving.cancel()
    elif (error := leaving.exception()) and not isinstance(error, KafkaError | TimeoutError | OSError):
        raise error
