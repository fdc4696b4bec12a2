"""What operators do from time to time: migrate, topics, republish, dead letters, verify, erase."""

import uuid

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from chassis.service import Service
from chassis.settings import load_settings
from chassis.tools import kafka_settings, migrate_service, open_engine
from command.importing import ImportFailed, client, said
from command.place import Address
from command.services import LEDGERS, SERVICES
from ledger import reader
from ledger.chain import Broken, verify
from ledger.kafka import ensure_topics
from ledger.relay import republish as take_back


class Unknown(Exception):
    """No such service or handler; the message names those that there are."""


def named(name: str, among: tuple[Service, ...]) -> Service:
    """The service of that name.

    Raises:
        Unknown: there is none.
    """
    for service in among:
        if service.name == name:
            return service
    raise Unknown(f"没有服务 {name}。no such service; there are: {', '.join(service.name for service in among)}")


async def migrate(console: Console) -> None:
    """Bring every service's tables to this program's version."""
    settings = load_settings()
    for service in SERVICES:
        await migrate_service(service, settings)
        console.print(f"{service.name}: 已是最新 up to date")


async def topics(console: Console) -> None:
    """Make the topics that are missing.

    Raises:
        TopicMismatch: one is not as declared.
    """
    settings = load_settings()
    declared = [topic for service in LEDGERS for topic in service.topics]
    made = set(await ensure_topics(kafka_settings(settings), declared))
    table = Table("主题 topic", "分区 partitions", "保留 kept", "受限 restricted", "")
    for topic in declared:
        kept = (
            "每键最新 newest per key"
            if topic.compacted
            else f"{topic.retention_hours} h"
            if topic.retention_hours
            else "∞"
        )
        new = "新建 made" if {topic.name, settings.topic_prefix + topic.name} & made else ""
        table.add_row(topic.name, str(topic.partitions), kept, "是 yes" if topic.restricted else "", new)
    console.print(table)


async def republish(console: Console, name: str) -> None:
    """Take the relay's checkpoint back to the beginning: its leader notices, and publishes everything again."""
    engine = open_engine(named(name, LEDGERS), load_settings())
    try:
        await take_back(engine)
    finally:
        await engine.dispose()
    console.print(f"{name}: 将重新发布全部事件 everything will be published again; readers pass over what they know")


async def verify_chain(console: Console) -> int:
    """Verify both chains of every ledger; 1 where one is broken."""
    settings, status = load_settings(), 0
    for service in LEDGERS:
        engine = open_engine(service, settings)
        try:
            async with engine.connect() as connection:
                total = await reader.head(connection)
                with Progress(console=console, transient=True) as progress:
                    bar = progress.add_task(service.name, total=total)
                    async for found in verify(connection):
                        if isinstance(found, Broken):
                            status = 1
                            console.print(
                                f"{service.name}: 第 {found.position} 条不符 broken at {found.position}"
                                f" ({found.what}, {found.stream})",
                                style="red",
                            )
                        else:
                            progress.update(bar, completed=found)
                if not status:
                    console.print(f"{service.name}: {total} 条完好 events verified")
        finally:
            await engine.dispose()
    return status


def erase(address: Address, person: str, ground: str, console: Console) -> None:
    """Destroy a person's key through the registry's API.

    Raises:
        ImportFailed: the API refused; the message is its own.
    """
    with client(address) as http:
        answer = http.post(
            f"/api/registry/persons/{person}/erase",
            json={"ground": ground},
            headers={"Idempotency-Key": str(uuid.uuid4())},
        )
    if answer.status_code != 200:
        raise ImportFailed(said(answer))
    console.print(f"{person}: 已删除 erased")
