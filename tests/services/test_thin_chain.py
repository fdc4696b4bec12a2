"""到岗一事走完全程: an arrival travels over Kafka through every service, and ends at the webhook; once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text
from xiapai_contracts.event import event_type
from xiapai_contracts.topics import TOPICS

from chassis.identity.principal import Role
from chassis.service import Service, Tools, Work
from chassis.settings import Settings
from chassis.tools import kafka_settings, migrate_service, open_tools
from chassis.work_process import Running, open_relays, open_workers
from ledger.append import Append
from ledger.ending import ended
from ledger.kafka import ensure_topics, partition_of
from ledger.reader import head, read
from services.assessment.__main__ import SERVICE as ASSESSMENT
from services.notify.__main__ import SERVICE as NOTIFY
from services.notify.tables import reminders
from services.registry.__main__ import SERVICE as REGISTRY
from services.reporting.__main__ import SERVICE as REPORTING
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.services.chain import arrival
from tests.services.notify.conftest import Receiver, receiving
from tests.support.bench import Bench, api

REACTING = (REPORTING, ASSESSMENT, NOTIFY)
POSTINGS = [f"P{n}" for n in range(1, 21)]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def settings(
    infra: Infra, databases: Databases, topic_prefix: str, tmp_path: Path, receiver: Receiver
) -> Settings:
    embedded = infra.kafka_kind == "tansu"
    own: dict[str, Any] = {f"database_{service.name}": databases() for service in (REGISTRY, *REACTING)}
    said = Settings(
        environment="development",
        clock="simulated",
        data=tmp_path,
        kafka_bootstrap=infra.kafka,
        kafka_idempotent=not embedded,
        kafka_single_record_batches=embedded,
        topic_prefix=topic_prefix,
        webhook_url=SecretStr(receiver.url),
        **own,
    )
    for service in (REGISTRY, *REACTING):
        await migrate_service(service, said)
    await ensure_topics(kafka_settings(said), TOPICS)
    return said


@asynccontextmanager
async def running(*opened: Running) -> AsyncIterator[None]:
    """All jobs of these processes, until the block ends; a job that ends by itself fails the test."""
    async with AsyncExitStack() as stack:
        jobs = [await stack.enter_async_context(one) for one in opened]
        tasks = [asyncio.ensure_future(job()) for one in jobs for job in one.tasks.values()]
        try:
            yield
            assert [task for task in tasks if task.done()] == []
        finally:
            await ended(tasks)


async def settled(notify: Tools, count: int) -> None:
    """So many reminders are known as delivered."""
    async with asyncio.timeout(120):
        while True:
            async with notify.engine.connect() as connection:
                found = (await connection.execute(select(reminders.c.status))).scalars().all()
            if sum(status == "DELIVERED" for status in found) == count:
                return
            await asyncio.sleep(0.1)


Mark = tuple[str, str, int, int]
"""Handler, topic, partition, and the position of the last event there."""


async def ends(registry: Tools, tools: Sequence[Tools]) -> set[Mark]:
    """Where every handler stands when it has read all that the ledgers hold."""
    last: dict[str, dict[int, int]] = {topic.name: {} for topic in TOPICS}
    topic_of = {event_type(event).event_name: topic for topic in TOPICS for event in topic.events}
    for one in (registry, *tools):
        async with one.engine.connect() as connection:
            for recorded in await read(connection, 0, 10_000):
                topic = topic_of[recorded.name]
                last[topic.name][partition_of(recorded.stream, topic.partitions)] = recorded.position
    found: set[Mark] = set()
    for service, one in zip(REACTING, tools, strict=True):
        async with service.open_work(one) as work:
            for handler in work.handlers:
                for topic in handler.topics:
                    found |= {(handler.name, topic.name, *place) for place in last[topic.name].items()}
    return found


async def caught_up(tools: Sequence[Tools], wanted: set[Mark]) -> None:
    """Wait until every handler stands there."""
    statement = text("SELECT handler, topic, partition, position FROM watermarks WHERE position > 0")
    async with asyncio.timeout(120):
        while True:
            found: set[Any] = set()
            for one in tools:
                async with one.engine.connect() as connection:
                    found |= {tuple(row) for row in await connection.execute(statement)}
            if found == wanted:
                return
            await asyncio.sleep(0.1)


async def test_an_arrival_ends_in_delivered_reminders_once_also_when_all_is_read_again(
    settings: Settings, receiver: Receiver
) -> None:
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(open_tools(REGISTRY, settings))
        tools = [await stack.enter_async_context(open_tools(service, settings)) for service in REACTING]
        notify = tools[-1]
        async with running(open_relays((REGISTRY, *REACTING), settings), open_workers(REACTING, settings)):
            arrivals = [(f"posting-{posting}", arrival(posting, on=date(2026, 6, 20)).event) for posting in POSTINGS]
            await registry.desk.appender.append(Append(by="test", at=registry.clock.now(), events=arrivals))
            await settled(notify, 2 * len(POSTINGS))
            async with api(Bench(NOTIFY, notify, Work())) as asked:
                listed = (await asked.as_(Role.CLERK, unit="VILLAGE").get("/api/notify/reminders", limit=100)).json()
            marks = await ends(registry, tools)
            await caught_up(tools, marks)
        keys = sorted(taken.headers["idempotency-key"] for taken in receiver.taken)
        assert keys == sorted([f"REPORT_DUE-{p}-1" for p in POSTINGS] + [f"BASELINE_DUE-{p}" for p in POSTINGS])
        assert {item["status"] for item in listed["items"]} == {"DELIVERED"} and len(listed["items"]) == len(keys)
        heads = await heads_of(tools)
        assert heads == [len(POSTINGS), len(POSTINGS), 4 * len(POSTINGS)]
        for one in tools:
            async with one.engine.begin() as connection:
                await connection.execute(text("DELETE FROM watermarks"))
        async with running(open_relays((REGISTRY, *REACTING), settings), open_workers(REACTING, settings)):
            await caught_up(tools, marks)
        assert await heads_of(tools) == heads, "all was read again, and nothing recorded"
        assert len(receiver.taken) == len(keys), "and nothing sent"


async def heads_of(tools: Sequence[Tools]) -> list[int]:
    found = []
    for one in tools:
        async with one.engine.connect() as connection:
            found.append(await head(connection))
    return found


def test_every_service_writes_topics_of_its_own() -> None:
    services: list[Service] = [REGISTRY, *REACTING]
    assert all(topic.owner == service.name for service in services for topic in service.topics)
