"""The program in the contracts' README reads postings from a broker: each once, in order, and notices what is missing."""

import asyncio
import importlib.util
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from xiapai_contracts.record import MARKER, Meta, to_headers
from xiapai_contracts.registry import PostingApproved, PostingExtended
from xiapai_contracts.topics import CODEC, TOPICS

from tests.infra.servers import Infra

CONTRACTS = Path(__file__).parents[2] / "contracts"
EXAMPLE = CONTRACTS / "examples" / "example_consumer.py"
README = (CONTRACTS / "README.md").read_text(encoding="utf-8")

Send = Callable[..., Any]


def test_the_readme_shows_the_whole_program() -> None:
    assert f"```python\n{EXAMPLE.read_text(encoding='utf-8')}```" in README


def test_the_readme_names_every_topic_and_every_header() -> None:
    meta = Meta(
        source="registry", type="posting.approved", epoch="e", position=1, previous=0, published=datetime.now(UTC),
        at=datetime.now(UTC), recorded_at=datetime.now(UTC), cause="c", traceparent="t",
    )  # fmt: skip
    named = set(re.findall(r"`([a-z_.-]+)`", README))
    assert {topic.name for topic in TOPICS} - named == set()
    assert {name for name, _ in to_headers(meta)} - named == {"ce_specversion", "content-type"}


def _follow() -> Callable[[str, str], AsyncIterator[tuple[int, Meta, Any]]]:
    spec = importlib.util.spec_from_file_location("example_consumer", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    follow: Callable[[str, str], AsyncIterator[tuple[int, Meta, Any]]] = module.follow
    return follow


@pytest.fixture
def broker(infra: Infra) -> str:
    return infra.kafka


@pytest.fixture
async def topic(broker: str, topic_prefix: str) -> str:
    """A topic of one partition, such as registry.postings is of six."""
    name = f"{topic_prefix}registry.postings"
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1)])
    finally:
        await admin.close()
    return name


@pytest.fixture
async def send(broker: str, topic: str) -> AsyncIterator[Send]:
    """`await send(event or None for a marker, position, previous)`, as the relay writes it."""
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()

    async def one(event: Any, position: int, previous: int, *, epoch: str = "first", name: str | None = None) -> None:
        meta = Meta(
            source="registry",
            type=name or (MARKER if event is None else event.event_name),
            epoch=epoch,
            position=position,
            previous=previous,
            published=datetime.now(UTC),
            stream="" if event is None else f"posting-{event.posting}",
            version=position,
        )
        key, value = (None, None) if event is None else (meta.stream.encode(), CODEC.encode(event))
        batch = producer.create_batch()
        batch.append(timestamp=None, key=key, value=value, headers=to_headers(meta))
        await (await producer.send_batch(batch, topic, partition=0))

    yield one
    await producer.stop()


async def _read(bootstrap: str, topic: str, count: int) -> list[tuple[str, int, Any]]:
    found: list[tuple[str, int, Any]] = []
    following = _follow()(bootstrap, topic)
    async with asyncio.timeout(60):
        while len(found) < count:
            _, meta, event = await anext(following)
            found.append((meta.epoch, meta.position, event))
    await following.aclose()  # type: ignore[attr-defined]
    return found


APPROVED = PostingApproved(posting="PZ2026-0412")
EXTENDED = PostingExtended(posting="PZ2026-0412", ends=date(2028, 8, 31))


async def test_what_comes_twice_is_read_once_and_markers_are_passed_over(broker: str, topic: str, send: Send) -> None:
    await send(APPROVED, 2, 0)
    await send(None, 4, 2)
    await send(APPROVED, 2, 0)
    await send(APPROVED, 5, 2, name="posting.dreamt")
    await send(EXTENDED, 7, 5)
    assert await _read(broker, topic, 2) == [("first", 2, APPROVED), ("first", 7, EXTENDED)]


async def test_what_the_broker_lost_is_read_when_it_comes_again(
    broker: str, topic: str, send: Send, capsys: pytest.CaptureFixture[str]
) -> None:
    await send(APPROVED, 2, 0)
    await send(EXTENDED, 9, 7)
    await send(APPROVED, 2, 0)
    await send(APPROVED, 7, 2)
    await send(EXTENDED, 9, 7)
    assert await _read(broker, topic, 3) == [("first", 2, APPROVED), ("first", 7, APPROVED), ("first", 9, EXTENDED)]
    assert capsys.readouterr().err == "partition 0: 2 is not followed by 9\n"


async def test_a_new_life_of_the_ledger_begins_anew(broker: str, topic: str, send: Send) -> None:
    await send(APPROVED, 2, 0)
    await send(EXTENDED, 3, 2)
    await send(EXTENDED, 1, 0, epoch="second")
    assert await _read(broker, topic, 4) == [
        ("first", 2, APPROVED),
        ("first", 3, EXTENDED),
        ("second", 1, None),
        ("second", 1, EXTENDED),
    ]
