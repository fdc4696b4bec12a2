"""`xiapai verify-chain`: every ledger against its own hashes, and against what others saw of it."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import Progress
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.record import Meta, from_headers

from chassis.service import Service
from chassis.settings import Settings, load_settings
from chassis.tools import kafka_settings, open_engine
from command.services import ledgers
from ledger import reader
from ledger.chain import Broken, verify
from ledger.kafka import topic_name
from ledger.testimony import contradiction, in_topics, remembered

WITNESS_SECONDS = 10.0


async def verify_chain(console: Console) -> int:
    """Verify every ledger; 1 where one is broken."""
    settings = load_settings()
    return max([await _one(service, settings, console) for service in ledgers()])


async def _one(service: Service, settings: Settings, console: Console) -> int:
    engine = open_engine(service, settings)
    try:
        async with engine.connect() as connection:
            with Progress(console=console, transient=True) as progress:
                total = await reader.head(connection)
                broken, by = await _chains(connection, progress, service, total), "自身散列 its own hashes"
                if broken is None:
                    broken, by = await _memory(connection, total)
                known = by
                if broken is None:
                    broken, by = await _topics(connection, progress, service, settings)
    finally:
        await engine.dispose()
    if broken is not None:
        where = " ".join(word for word in (broken.what, broken.stream) if word)
        console.print(f"{service.name}: 第 {broken.position} 条不符 broken at ({where}): {by}", style="red")
        return 1
    console.print(f"{service.name}: {total} 条完好 events verified; 见证 witnesses: {known}; {by}")
    return 0


async def _chains(connection: AsyncConnection, progress: Progress, service: Service, total: int) -> Broken | None:
    bar = progress.add_task(service.name, total=total)
    async for found in verify(connection):
        if isinstance(found, Broken):
            return found
        progress.update(bar, completed=found)
    return None


async def _memory(connection: AsyncConnection, total: int) -> tuple[Broken | None, str]:
    known = await remembered(connection)
    return Broken(total + 1, "", "tail") if known > total else None, f"数据库所记 its database up to {known}"


async def _topics(
    connection: AsyncConnection, progress: Progress, service: Service, settings: Settings
) -> tuple[Broken | None, str]:
    kafka, epoch = kafka_settings(settings), await reader.epoch(connection)
    bar = progress.add_task(f"{service.name}: 主题 topics", total=None)
    newest = records = others = 0
    try:
        async for told, left in in_topics(kafka, service.topics, service.name, epoch):
            broken = await contradiction(connection, told.seen)
            if broken is not None:
                return broken, f"主题 topic {told.topic}"
            newest = max(newest, *(one.position for one in told.seen), 0)
            records, others = records + len(told.seen), others + told.others
            progress.update(bar, completed=records + others, total=records + others + left)
    except (KafkaError, OSError, TimeoutError) as error:
        said = f"主题读不到,截尾未必能发现 the topics cannot be read, a cut tail may go unseen ({type(error).__name__})"
        return None, said
    said = f"主题 {records} 条至 topics {records} records up to {newest}"
    if others:
        said += f",另有前世 and {others} of former lives"
    # Its records are in memory, and come from this very ledger at each start.
    if settings.kafka_single_record_batches:
        said += ",内置代理只记得本次启动以来 the embedded broker remembers since its start alone"
    return None, said


async def newest_marker(service: Service, settings: Settings) -> Meta | None:
    """The newest marker in the service's topic of heads: how far the ledger reached, and with which hash, as readers
    were told. None where the broker or the topic has none."""
    kafka = kafka_settings(settings)
    heads = next(topic for topic in service.topics if not topic.events and not topic.compacted)
    place = TopicPartition(topic_name(kafka, heads), 0)
    consumer = AIOKafkaConsumer(**kafka.connection(), enable_auto_commit=False)
    try:
        async with asyncio.timeout(WITNESS_SECONDS):
            await consumer.start()
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            if end == 0:
                return None
            consumer.seek(place, end - 1)
            return from_headers((await consumer.getone()).headers)
    except (KafkaError, OSError, TimeoutError, ValueError):
        return None
    finally:
        await consumer.stop()
