"""Workers on a real broker: what the relay published is applied once and in order, whoever comes and goes."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import text
from xiapai_contracts.record import Meta, to_headers

from ledger.kafka import KafkaSettings
from ledger.relay import Relay
from ledger.worker import Worker
from tests.infra.servers import Infra
from tests.ledger.kafka_support import (
    CODEC,
    JARS,
    TOPICS,
    Shelf,
    applied,
    fill,
    in_order,
    ledger,
    make_shelf,
    record,
    running,
    settings_for,
    until,
)


@pytest.fixture
def kafka(infra: Infra, topic_prefix: str) -> KafkaSettings:
    return settings_for(infra.kafka, infra.kafka_kind, topic_prefix)


def worker_for(kafka: KafkaSettings, engine: Any, *shelves: Shelf) -> Worker:
    worker = Worker("test", kafka, CODEC)
    worker.add(engine, *(shelf.handler for shelf in shelves))
    return worker


async def test_what_is_recorded_is_applied_once_and_in_order(database: str, kafka: KafkaSettings) -> None:
    async with ledger(database) as engine:
        await make_shelf(engine)
        shelf = Shelf()
        worker = worker_for(kafka, engine, shelf)
        assert worker.health.missing
        async with running(Relay(engine, kafka, "shelf", TOPICS).run(), worker.run()):
            await record(engine, *fill(700))

            async def there(count: int) -> bool:
                return len(await applied(engine)) >= count

            await until(lambda: there(700))
            await record(engine, *fill(7, start=1000))
            await until(lambda: there(707))
            assert worker.health.missing == {}
        assert in_order(await applied(engine))
        assert max(shelf.batches) > 1
