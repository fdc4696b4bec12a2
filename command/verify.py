"""`xiapai verify-chain`: every ledger against its own hashes, and its tail against what its topic has seen."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import Progress
from xiapai_contracts.record import Meta, from_headers

from chassis.service import Service
from chassis.settings import Settings, load_settings
from chassis.tools import kafka_settings, open_engine
from command.services import ledgers
from ledger import reader
from ledger.chain import Broken, verify
from ledger.kafka import topic_name

WITNESS_SECONDS = 10.0


async def verify_chain(console: Console) -> int:
    """Verify both chains of every ledger; 1 where one is broken."""
    settings = load_settings()
    return max([await _one(service, settings, console) for service in ledgers()])


async def _one(service: Service, settings: Settings, console: Console) -> int:
    engine = open_engine(service, settings)
    try:
        async with engine.connect() as connection:
            total, epoch = await reader.head(connection), await reader.epoch(connection)
            seen = await newest_marker(service, settings)
            witness = (seen.position, seen.hash) if seen is not None and seen.epoch == epoch and seen.position else None
            with Progress(console=console, transient=True) as progress:
                bar = progress.add_task(service.name, total=total)
                async for found in verify(connection, witness):
                    if isinstance(found, Broken):
                        where = f"({found.what} {found.stream})"
                        console.print(f"{service.name}: 第 {found.position} 条不符 broken at {where}", style="red")
                        return 1
                    progress.update(bar, completed=found)
    finally:
        await engine.dispose()
    said = f"主题见证至 witnessed up to {witness[0]}" if witness else "主题没有可用的见证 no witness in the topic"
    console.print(f"{service.name}: {total} 条完好 events verified; {said}")
    return 0


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
