"""The broker of the one-machine start."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.embedded.broker import EmbeddedBroker
from deploy.embedded.trouble import Trouble


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    server = EmbeddedBroker(tmp_path / "broker")
    server.start()
    yield server
    server.stop()


async def test_a_record_sent_is_a_record_read(broker: EmbeddedBroker) -> None:
    await _create_topic(broker.bootstrap)
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    await producer.start()
    sent = await producer.send_and_wait("postings", value=b"started", key=b"posting-1", partition=0)
    await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap)
    await consumer.start()
    consumer.assign([TopicPartition("postings", 0)])
    await consumer.seek_to_beginning()
    record = await consumer.getone()
    await consumer.stop()
    assert (record.offset, record.key, record.value) == (sent.offset, b"posting-1", b"started")


async def test_after_a_kill_it_comes_back_empty_on_the_same_port(broker: EmbeddedBroker) -> None:
    """Its records were in memory only, which is why the relay publishes the ledger again."""
    await _create_topic(broker.bootstrap)
    bootstrap = broker.bootstrap
    broker.kill()
    broker.start()
    assert broker.bootstrap == bootstrap
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        assert "postings" not in await admin.list_topics()
    finally:
        await admin.close()


def test_a_port_in_use_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Trouble) as said:
            EmbeddedBroker(tmp_path, port).start()
    assert said.value.code == "port-in-use"
    assert str(port) in said.value.en


def test_it_is_reached_on_the_loopback_only(broker: EmbeddedBroker) -> None:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = {line.split()[1] for line in lines if line.split()[3] == "0A"}
    assert {address for address in listening if int(address.split(":")[1], 16) == broker.port} == {
        f"0100007F:{broker.port:04X}"
    }


async def _create_topic(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("postings", 1, 1)])
    finally:
        await admin.close()
