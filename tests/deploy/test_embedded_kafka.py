"""The Apache Kafka that tests kill and cut."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.infra.servers import Infra


async def test_an_acknowledged_record_survives_a_cut(infra: Infra) -> None:
    with infra.own_kafka() as kafka:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("postings", 1, 1)])
        await admin.close()
        await _send(kafka.bootstrap, b"before")
        with kafka.cut():
            assert kafka.pid is None
        await _send(kafka.bootstrap, b"after")
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap)
        await consumer.start()
        consumer.assign([TopicPartition("postings", 0)])
        await consumer.seek_to_beginning()
        assert [(await consumer.getone()).value, (await consumer.getone()).value] == [b"before", b"after"]
        await consumer.stop()


async def test_a_frozen_broker_answers_nobody_and_goes_on_when_thawed(infra: Infra) -> None:
    with infra.own_kafka() as kafka:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("postings", 1, 1)])
        await admin.close()
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
        await producer.start()
        kafka.freeze()
        sending = asyncio.ensure_future(producer.send_and_wait("postings", b"meanwhile", partition=0))
        done, _ = await asyncio.wait({sending}, timeout=1.0)
        assert not done
        kafka.thaw()
        assert (await sending).offset == 0
        await producer.stop()


async def _send(bootstrap: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait("postings", value)
    finally:
        await producer.stop()
