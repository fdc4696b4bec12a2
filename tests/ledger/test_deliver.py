"""What a batch becomes in the handler's database: once, in order, or parked. Records by hand, PostgreSQL real."""

from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xiapai_contracts.record import KEY_CHANGED, MARKER, Headers, MalformedRecord, Meta, to_headers

from command.chaos.verdict import judge
from ledger import deadletters, schema, watermark
from ledger.deliver import Batch, Delivered, Fenced, Handler, Outcome, StillConflicting, deliver, halves
from ledger.entry import VersionConflict
from ledger.fetched import Fetched, read
from ledger.kafka import Partition
from ledger.watermark import Reflected, Watermark
from tests.ledger.kafka_support import CODEC, JARS, KEYS, JarFilled, Shelf, applied, ledger, make_shelf

JARS_0: Partition = ("shelf.jars", 0)
NOW = datetime(2026, 7, 1, tzinfo=UTC)


@dataclass(slots=True)
class Sent:
    offset: int
    headers: Headers
    key: bytes | None
    value: bytes | None


class Log:
    """A partition as the relay fills it."""

    def __init__(self, epoch: str = "first") -> None:
        self.records: list[Sent] = []
        self.epoch, self.last, self.versions = epoch, 0, dict[str, int]()

    def event(self, stream: str, position: int = 0, previous: int | None = None, **changes: Any) -> Sent:
        position = position or self.last + 1
        self.versions[stream] = self.versions.get(stream, 0) + 1
        meta = Meta(
            source="shelf",
            type="jar.filled",
            epoch=self.epoch,
            position=position,
            previous=self.last if previous is None else previous,
            published=NOW,
            stream=stream,
            version=self.versions[stream],
            hash=b"%032d" % position,
        )
        self.last = position
        meta = msgspec.structs.replace(meta, **{name: value for name, value in changes.items() if name != "value"})
        value = changes.get("value", CODEC.encode(JarFilled(grams=position)))
        return self._add(meta, stream.encode(), value)

    def marker(self, position: int) -> Sent:
        meta = Meta(
            source="shelf",
            type=MARKER,
            epoch=self.epoch,
            position=position,
            previous=self.last,
            published=NOW,
            hash=b"%032d" % position,
        )
        return self._add(meta, None, None)

    def key(self, stream: str, change: int, value: bytes | None) -> Sent:
        meta = Meta(
            source="shelf",
            type=KEY_CHANGED,
            epoch=self.epoch,
            position=change,
            previous=0,
            published=NOW,
            stream=stream,
        )
        return self._add(meta, stream.encode(), value)

    def _add(self, meta: Meta, key: bytes | None, value: bytes | None) -> Sent:
        return self.raw(to_headers(meta), key, value)

    def raw(self, headers: Headers, key: bytes | None = b"?", value: bytes | None = b"?") -> Sent:
        sent = Sent(len(self.records), headers, key, value)
        self.records.append(sent)
        return sent


class Reading:
    """A reader of one partition, without a broker."""

    def __init__(self, engine: AsyncEngine, shelf: Shelf) -> None:
        self.engine, self.shelf, self.mark = engine, shelf, Watermark()

    async def load(self) -> None:
        async with self.engine.begin() as connection:
            self.mark = (await watermark.load(connection, self.shelf.handler.name, [JARS_0]))[JARS_0]

    async def read(self, records: Sequence[Sent], scanning: bool = False) -> Outcome:
        batch = Batch(JARS, self.mark, read(records), scanning)
        outcome = await deliver(self.engine, self.shelf.handler, CODEC, {JARS_0: batch})
        self.mark = outcome.marks[JARS_0]
        return outcome


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    async with ledger(database) as made:
        await make_shelf(made)
        yield made


def test_a_large_batch_is_halved_by_the_numbers_of_its_partitions() -> None:
    def batches(sizes: dict[Partition, int]) -> dict[Partition, Batch]:
        record = Fetched(0, None, None, MalformedRecord("x"))
        return {at: Batch(JARS, Watermark(), [record] * size) for at, size in sizes.items()}

    large = {(topic, n): 100 * (n + 1) for n in range(4) for topic in ("jars", "lids")}
    halved = halves(batches(large))
    assert [sorted(part) for part in halved] == [
        [("jars", 0), ("jars", 3), ("lids", 0), ("lids", 3)],
        [("jars", 1), ("jars", 2), ("lids", 1), ("lids", 2)],
    ]
    for whole in ({("jars", 1): 5_000, ("lids", 1): 5_000}, {("jars", 0): 1, ("jars", 1): 1}):
        assert halves(found := batches(whole)) == [found]
    assert halves({}) == []


@pytest.fixture
async def reading(engine: AsyncEngine) -> Reading:
    made = Reading(engine, Shelf())
    await made.load()
    return made


async def test_records_that_come_again_are_applied_once(engine: AsyncEngine, reading: Reading) -> None:
    log = Log()
    for stream in "abcab":
        log.event(stream)
    await reading.read(log.records[:3])
    outcome = await reading.read(log.records)
    assert outcome.applied == 2
    assert await applied(engine) == [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2)]
    before = reading.mark
    await reading.load()
    assert reading.mark == before and before.position == 5 and before.offset == 4 and before.next == 5


async def test_without_watermarks_a_repeated_record_would_be_applied_twice(engine: AsyncEngine) -> None:
    log = Log()
    log.event("a")
    meta = Meta(
        source="shelf", type="jar.filled", epoch="first", position=1, previous=0, published=NOW, stream="a", version=1
    )
    delivered = Delivered(meta, "shelf.jars", 0, 0, JarFilled(grams=1), b"")
    shelf = Shelf()
    async with engine.begin() as connection:
        await shelf.apply(connection, [delivered])
        await shelf.apply(connection, [delivered])
    assert judge([("a", 1)], await applied(engine)).doubled == [("a", 1)]


async def test_a_reader_that_was_left_behind_writes_nothing(engine: AsyncEngine, reading: Reading) -> None:
    log = Log()
    for stream in "abcd":
        log.event(stream)
    frozen = Reading(engine, reading.shelf)
    await frozen.load()
    await reading.read(log.records[:2])
    with pytest.raises(Fenced):
        await frozen.read(log.records)
    assert await applied(engine) == [("a", 1), ("b", 1)]
    await frozen.load()
    await frozen.read(log.records[2:])
    with pytest.raises(Fenced):
        await reading.read(log.records[2:])
    assert await applied(engine) == [("a", 1), ("b", 1), ("c", 1), ("d", 1)]


async def test_a_missing_event_stops_the_partition_until_it_is_published_again(
    engine: AsyncEngine, reading: Reading
) -> None:
    log = Log()
    for stream in "abcde":
        log.event(stream)
    holed = [log.records[0], *log.records[2:]]
    outcome = await reading.read(holed)
    assert outcome.gaps == {JARS_0} and await applied(engine) == [("a", 1)]
    outcome = await reading.read(holed[1:], scanning=True)
    assert outcome.gaps == {JARS_0} and reading.mark.position == 1 and reading.mark.next == 1
    again = [Sent(10 + n, one.headers, one.key, one.value) for n, one in enumerate(log.records)]
    outcome = await reading.read(again, scanning=True)
    assert outcome.gaps == set() and reading.mark.position == 5
    assert await applied(engine) == [(stream, 1) for stream in "abcde"]


async def test_a_marker_after_a_missing_event_is_not_believed(reading: Reading) -> None:
    log = Log()
    log.event("a")
    log.event("b")
    log.marker(7)
    outcome = await reading.read([log.records[0], log.records[2]])
    assert outcome.gaps == {JARS_0} and reading.mark.reached == 1


async def test_a_marker_moves_what_is_known_and_applies_nothing(engine: AsyncEngine, reading: Reading) -> None:
    log = Log()
    log.event("a")
    log.marker(9)
    await reading.read(log.records)
    assert (reading.mark.position, reading.mark.reached, reading.mark.offset) == (1, 9, 1)
    assert len(await applied(engine)) == 1
    async with engine.connect() as connection:
        one = replace(JARS, partitions=1)
        assert await watermark.reflected(connection, "shelf-view", [one, KEYS]) == {"shelf": Reflected(9, NOW)}
        assert await watermark.reflected(connection, "shelf-view", [JARS]) == {"shelf": Reflected(0, None)}


async def test_poison_parks_its_stream_and_no_other(engine: AsyncEngine, reading: Reading) -> None:
    log = Log()
    for stream in "abcabcabc":
        log.event(stream)
    reading.shelf.poison = {"b"}
    outcome = await reading.read(log.records[:6])
    assert (outcome.applied, outcome.parked) == (4, 2)
    reading.shelf.poison = set()
    await reading.read(log.records[6:])
    assert await applied(engine) == [("a", 1), ("c", 1), ("a", 2), ("c", 2), ("a", 3), ("c", 3)]
    (queue,) = await deadletters.list_parked(engine)
    assert (queue.stream, queue.count, queue.position) == ("b", 3, 2)
    assert queue.reason.startswith("ValueError") and "bitter" not in queue.reason


async def test_whatever_is_parked_keeps_its_headers(engine: AsyncEngine, reading: Reading) -> None:
    log = Log()
    for stream in "aab":
        log.event(stream)
    log.event("c", source="cellar")
    for one in log.records:
        one.headers = [*one.headers, ("x-mirrored-from", b"\xfe other house")]
    reading.shelf.poison = {"a"}
    await reading.read(log.records)
    async with engine.connect() as connection:
        rows = (await connection.execute(text('SELECT "offset", headers FROM dead_letters'))).all()
    kept = {offset: {(name, b64decode(value)) for name, value in headers} for offset, headers in rows}
    assert kept == {one.offset: set(one.headers) for one in log.records if one.key != b"b"}


async def test_an_event_that_cannot_be_decoded_parks_its_stream(engine: AsyncEngine, reading: Reading) -> None:
    log = Log()
    log.event("a")
    log.event("b", value=b'{"grams": "many"}')
    log.event("b")
    log.event("c", type="jar.melted")
    log.event("d", value=None)
    log.event("a")
    outcome = await reading.read(log.records)
    assert (outcome.applied, outcome.parked) == (2, 4) and outcome.gaps == set()
    assert await applied(engine) == [("a", 1), ("a", 2)]
    queues = {queue.stream: queue for queue in await deadletters.list_parked(engine)}
    assert queues["b"].count == 2 and queues["b"].reason.startswith("malformed")
    assert queues["c"].reason == "unknown event jar.melted v1"
    assert "many" not in queues["b"].reason


async def test_an_unreadable_record_is_parked_raw_and_the_partition_goes_on(
    engine: AsyncEngine, reading: Reading
) -> None:
    log = Log()
    log.event("a")
    log.raw([("ce_type", b"\xff")])
    log.raw([], None, None)
    log.event("b")
    log.event("c", previous=2, position=3)
    log.records[3].headers = [("ce_position", b"two")]
    outcome = await reading.read(log.records)
    assert outcome.unreadable == 3 and outcome.gaps == set()
    assert await applied(engine) == [("a", 1), ("c", 1)]
    await reading.read(log.records[1:4])
    queues = await deadletters.list_parked(engine)
    assert [(queue.stream, queue.count, queue.position) for queue in queues] == [(None, 1, None)] * 3


async def test_a_record_of_another_source_or_with_another_key_is_not_believed(
    engine: AsyncEngine, reading: Reading
) -> None:
    log = Log()
    log.event("a", source="cellar")
    log.event("b").key = b"c"
    assert (await reading.read(log.records)).unreadable == 2
    assert await applied(engine) == []


async def test_a_new_epoch_starts_over_and_the_old_one_stays_over(engine: AsyncEngine, reading: Reading) -> None:
    first, second = Log("first"), Log("second")
    for stream in "aab":
        first.event(stream)
    for stream in "ac":
        second.event(stream)
    whole = [*first.records, *(replace(one, offset=3 + one.offset) for one in second.records)]
    await reading.read(whole)
    assert await applied(engine) == [("a", 1), ("a", 2), ("b", 1), ("a", 1), ("c", 1)]
    assert (reading.mark.epoch, reading.mark.position, reading.mark.former) == ("second", 2, ("first",))
    outcome = await reading.read(whole)
    assert outcome.applied == 0 and outcome.gaps == set() and reading.mark.epoch == "second"


async def test_the_middle_of_an_unknown_epoch_is_a_gap(reading: Reading) -> None:
    first, second = Log("first"), Log("second")
    first.event("a")
    second.event("a")
    second.event("a")
    outcome = await reading.read([first.records[0], second.records[1]])
    assert outcome.gaps == {JARS_0} and reading.mark.epoch == "first"


async def test_keys_are_delivered_with_their_value_and_never_older_ones(engine: AsyncEngine) -> None:
    seen: list[tuple[str, bytes | None, Any]] = []

    async def apply(connection: AsyncConnection, events: Sequence[Delivered]) -> None:
        seen.extend((one.meta.stream, one.value, one.event) for one in events)

    handler = Handler("keys", (KEYS,), apply)
    place: Partition = (KEYS.name, 0)
    log = Log()
    log.key("person-1", 3, b"one")
    log.key("person-2", 8, b"two")
    log.key("person-1", 9, None)
    log.key("person-2", 8, b"two")
    async with engine.begin() as connection:
        held = (await watermark.load(connection, "keys", [place]))[place]
    await deliver(engine, handler, CODEC, {place: Batch(KEYS, held, read(log.records))})
    assert seen == [("person-1", b"one", None), ("person-2", b"two", None), ("person-1", None, None)]


async def test_one_conflicting_item_is_tried_again_alone(engine: AsyncEngine, reading: Reading) -> None:
    conflicts = {"b": 2}
    shelf = reading.shelf

    async def apply(connection: AsyncConnection, events: Sequence[Delivered]) -> None:
        for one in events:
            if conflicts.get(one.meta.stream, 0) > 0:
                conflicts[one.meta.stream] -= 1
                raise VersionConflict("other", 1, 2)
        await shelf.apply(connection, events)

    reading.shelf.handler = replace(shelf.handler, apply=apply)
    log = Log()
    for stream in "abc":
        log.event(stream)
    await reading.read(log.records[:3])
    assert await applied(engine) == [("a", 1), ("b", 1), ("c", 1)]
    conflicts["a"] = 10**6
    log.event("a")
    with pytest.raises(StillConflicting):
        await reading.read(log.records[3:])
    assert await deadletters.list_parked(engine) == []


async def test_trouble_with_the_database_parks_nothing(engine: AsyncEngine, reading: Reading) -> None:
    async def apply(connection: AsyncConnection, events: Sequence[Delivered]) -> None:
        await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    log = Log()
    log.event("a")
    good, reading.shelf.handler = reading.shelf.handler, replace(reading.shelf.handler, apply=apply)
    with pytest.raises(DBAPIError):
        await reading.read(log.records)
    assert await deadletters.list_parked(engine) == []
    reading.shelf.handler = good
    await reading.read(log.records)
    assert await applied(engine) == [("a", 1)]


async def test_a_statement_that_fails_parks_only_what_caused_it(engine: AsyncEngine, reading: Reading) -> None:
    shelf = reading.shelf

    async def apply(connection: AsyncConnection, events: Sequence[Delivered]) -> None:
        await shelf.apply(connection, events)
        if any(one.meta.stream == "b" for one in events):
            await connection.execute(text("INSERT INTO applied (version) VALUES (1/0)"))

    reading.shelf.handler = replace(shelf.handler, apply=apply)
    log = Log()
    for stream in "abcd":
        log.event(stream)
    await reading.read(log.records)
    assert await applied(engine) == [("a", 1), ("c", 1), ("d", 1)]
    (queue,) = await deadletters.list_parked(engine)
    assert queue.reason.startswith("DivisionByZeroError 22012")
    async with engine.connect() as connection:
        assert (await connection.execute(select(schema.watermarks.c.position))).scalar_one() == 4
