"""毒丸: records of a foreign producer that cannot be taken park their stream where they fail, and nothing else."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from msgspec.structs import replace
from xiapai_contracts.record import MARKER, Headers, Meta, from_headers, to_headers
from xiapai_contracts.registry import POSTINGS

from chassis.tools import kafka_settings
from command.chaos.words import approve, arrive, extend, person, propose, unit
from ledger.kafka import partition_of, topic_name
from tests.e2e.conftest import prepared
from tests.e2e.system import System, records, roster, until
from tests.infra.servers import Infra

REACTING = {"reporting": "reporting-first-report", "assessment": "assessment-ability-baseline"}
SICK, WELL, GHOST = "posting-P1", "posting-P2", "posting-P3"


@pytest.fixture(scope="module")
def started(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two cadres whose postings are approved."""
    with prepared(infra, tmp_path_factory.mktemp("poison")) as made:
        made.start()
        made.until_ready()
        with made.client() as http:
            records(http, unit("BUREAU", "DISTRICT_DEPARTMENT"), unit("V1"), person("R1"), person("R2"), person("R3"))
            last = records(http, propose("P1", "R1", "V1"), propose("P2", "R2", "V1"), approve("P1"), approve("P2"))
            assert len(roster(http, last)) == 2
        yield made


@pytest.fixture
def http(started: System) -> Iterator[httpx.Client]:
    with started.client() as made:
        yield made


def newest(system: System, partition: int) -> Meta:
    """What the last event of a partition says of itself."""

    async def read() -> Meta:
        settings = kafka_settings(system.settings)
        place = TopicPartition(topic_name(settings, POSTINGS), partition)
        consumer = AIOKafkaConsumer(bootstrap_servers=settings.bootstrap)
        await consumer.start()
        try:
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            found = None
            while (records := (await consumer.getmany(timeout_ms=1000)).get(place)) or found is None:
                for record in records or []:
                    meta = from_headers(record.headers)
                    found = meta if found is None or meta.position >= found.position else found
            return found
        finally:
            await consumer.stop()

    return asyncio.run(read())


def inject(system: System, partition: int, key: bytes, value: bytes, headers: Headers) -> None:
    """As a producer that is not ours would write it."""

    async def send() -> None:
        settings = kafka_settings(system.settings)
        producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap)
        await producer.start()
        try:
            await producer.send_and_wait(
                topic_name(settings, POSTINGS), value, key, partition=partition, headers=headers
            )
        finally:
            await producer.stop()

    asyncio.run(send())


def forge(system: System, stream: str, version: int, name: str, value: bytes) -> None:
    """A record with right headers that every reader takes for the next of its stream: it claims the next position of
    the ledger, and the last of its partition before it."""
    partition = partition_of(stream, POSTINGS.partitions)
    head = len(system.ledger("registry"))
    last = newest(system, partition)
    meta = replace(
        last,
        type=name,
        id=f"forged-{stream}",
        position=head + 1,
        previous=last.previous if last.type == MARKER else last.position,
        stream=stream,
        version=version,
        hash=b"\1" * 32,
        stream_hash=b"\2" * 32,
        at=datetime.now(UTC),
        recorded_at=datetime.now(UTC),
    )
    inject(system, partition, stream.encode(), value, to_headers(replace(meta, schema=1)))


def parked(system: System) -> dict[str, list[tuple[str | None, str]]]:
    """By service, the stream and handler of every letter."""
    found = {}
    for service in ("reporting", "assessment", "notify", "projection"):
        rows = system.rows(service, "SELECT stream, handler FROM dead_letters ORDER BY id")
        found[service] = [(row["stream"], row["handler"]) for row in rows]
    return found


def letters(system: System, service: str) -> list[Any]:
    return system.rows(service, "SELECT id, handler, stream FROM dead_letters ORDER BY id")


def streams(system: System, service: str) -> set[str]:
    return {stream for _, stream, _ in system.ledger(service)}


def test_an_undecodable_record_parks_its_stream_and_no_other_until_it_is_discarded_and_the_rest_replayed(
    started: System, http: httpx.Client
) -> None:
    forge(started, SICK, 3, "posting.extended", b'{"posting": "P1", "ends": ')
    readers = (*REACTING, "projection")
    until(lambda: all(len(parked(started)[one]) == 1 for one in readers), "the record is parked")
    # The forged record claims the position that this unit gets, on another topic.
    records(http, unit("V2"))
    last = records(http, arrive("P1"), extend("P1"), arrive("P2"))

    shown = roster(http, last)
    assert (shown["P1"]["status"], shown["P2"]["status"]) == ("approved", "serving")
    until(lambda: streams(started, "reporting") == {"report-P2-1"}, "the other stream is reacted to")
    until(lambda: streams(started, "assessment") == {"baseline-P2"}, "the other stream is reacted to")
    until(lambda: all(len(parked(started)[one]) == 3 for one in readers), "the later events of the stream wait")
    found = parked(started)
    assert found.pop("notify") == []
    for service, waiting in found.items():
        assert [stream for stream, _ in waiting] == [SICK] * 3, service
    listed = started.command("dead-letters", "list")
    assert listed.exit_code == 0 and listed.stdout.count(SICK) == 3, listed.output
    assert "malformed" in listed.stdout and WELL not in listed.stdout

    for service in found:
        stuck = started.command("dead-letters", "replay", service)
        assert stuck.exit_code == 1 and "left 3" in stuck.stdout, stuck.output
        first = letters(started, service)[0]
        options = ("--handler", first["handler"], "--id", str(first["id"]), "--yes")
        gone = started.command("dead-letters", "discard", service, *options)
        assert gone.exit_code == 0, gone.output
        replayed = started.command("dead-letters", "replay", service, "--stream", SICK)
        assert replayed.exit_code == 0 and "applied 2" in replayed.stdout, replayed.output

    shown = roster(http, last)
    assert (shown["P1"]["status"], shown["P1"]["ends"]) == ("serving", "2028-06-30")
    assert streams(started, "reporting") == {"report-P1-1", "report-P2-1"}
    assert "nothing is parked" in started.command("dead-letters", "list").stdout
    records(http, extend("P1", "2028-09-30"))
    assert roster(http, last + 1)["P1"]["ends"] == "2028-09-30", "the stream flows again"
    started.audited()


def test_what_one_handler_cannot_apply_is_parked_there_alone(started: System, http: httpx.Client) -> None:
    forge(started, GHOST, 1, "posting.extended", b'{"posting": "P3", "ends": "2028-01-01"}')
    records(http, unit("V3"))
    until(lambda: [stream for stream, _ in parked(started)["projection"]] == [GHOST], "the read model parks it")
    last = records(http, propose("P3", "R3", "V1"), extend("P2"))
    shown = roster(http, last)
    assert "P3" not in shown and shown["P2"]["ends"] == "2028-06-30"
    assert {service for service, waiting in parked(started).items() if waiting} == {"projection"}

    refused = started.command("dead-letters", "replay", "projection", "--stream", GHOST)
    assert refused.exit_code == 1 and "left 2 (ValueError" in refused.stdout, refused.output
    first = letters(started, "projection")[0]
    options = ("--handler", first["handler"], "--id", str(first["id"]), "--yes")
    assert started.command("dead-letters", "discard", "projection", *options).exit_code == 0
    assert started.command("dead-letters", "replay", "projection").exit_code == 0
    assert roster(http, last)["P3"]["status"] == "proposed"


def test_a_record_without_readable_headers_is_parked_raw_and_nothing_waits_behind_it(
    started: System, http: httpx.Client
) -> None:
    partition = partition_of(WELL, POSTINGS.partitions)
    inject(started, partition, WELL.encode(), b"{}", [("ce_type", b"posting.extended"), ("ce_position", b"many")])
    readers = (*REACTING, "projection")
    until(lambda: all(len(parked(started)[one]) == 1 for one in readers), "the record is parked")
    last = records(http, extend("P2", "2028-10-31"))
    assert roster(http, last)["P2"]["ends"] == "2028-10-31"
    listed = started.command("dead-letters", "list").stdout
    assert listed.count(f"registry.postings[{partition}]") == len(readers), listed
    for service in readers:
        (letter,) = letters(started, service)
        assert letter["stream"] is None
        options = ("--handler", letter["handler"], "--id", str(letter["id"]), "--yes")
        assert started.command("dead-letters", "discard", service, *options).exit_code == 0
    assert "nothing is parked" in started.command("dead-letters", "list").stdout
    started.audited()
