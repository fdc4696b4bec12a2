"""What operators do from time to time: migrate, topics, republish, erase."""

import uuid

from rich.console import Console
from rich.table import Table
from xiapai_contracts.topic import Topic

from chassis.settings import load_settings
from chassis.tools import kafka_settings, migrate_service, open_engine
from command.importing import client, said
from command.mistakes import ImportFailed
from command.place import Address
from command.services import ledgers, service, services
from ledger.kafka import ensure_topics
from ledger.relay import republish as take_back


async def migrate(console: Console) -> None:
    """Bring every service's tables to this program's version."""
    settings = load_settings()
    for one in services():
        await migrate_service(one, settings)
        console.print(f"{one.name}: 已是最新 up to date")


async def topics(console: Console) -> None:
    """Make the topics that are missing.

    Raises:
        TopicMismatch: one is not as declared.
    """
    settings = load_settings()
    declared = [topic for one in ledgers() for topic in one.topics]
    made = set(await ensure_topics(kafka_settings(settings), declared))
    table = Table("主题 topic", "分区 partitions", "保留 kept", "受限 restricted", "")
    for topic in declared:
        new = "新建 made" if {topic.name, settings.topic_prefix + topic.name} & made else ""
        table.add_row(topic.name, str(topic.partitions), _kept(topic), "是 yes" if topic.restricted else "", new)
    console.print(table)


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "每键最新 newest per key"
    return f"{topic.retention_hours} h" if topic.retention_hours else "∞"


async def republish(console: Console, name: str) -> None:
    """Take the relay's checkpoint back to the beginning: its leader notices, and publishes everything again."""
    engine = open_engine(service(name), load_settings())
    try:
        await take_back(engine)
    finally:
        await engine.dispose()
    console.print(f"{name}: 将重新发布全部事件 everything will be published again; readers pass over what they know")


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
