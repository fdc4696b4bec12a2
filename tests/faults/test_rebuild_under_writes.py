"""重建不停机: read models are rebuilt while postings are recorded and read: every read is answered, and right."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from services.projection.audit import ledger_events
from services.projection.rebuild import rebuild_from_kafka, rebuild_from_ledger
from tests.conftest import Scale
from tests.faults.naive_rebuild import refill_in_place
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.ledger.kafka_support import running
from tests.services.projection.asking import Asker
from tests.services.projection.district import TODAY, District, opened, told
from tests.services.projection.story import KEK, Reader, Story

PAUSE_SECONDS = 0.1


@dataclass
class Reads:
    """What somebody who reads the roster again and again was answered."""

    asker: Asker
    story: Story
    answered: int = 0
    newest: int = 0
    failed: list[str] = field(default_factory=list)

    async def go_on(self) -> None:
        while True:
            said = await self._roster()
            if isinstance(said, str):
                self.failed.append(said)
            else:
                self._judge(*said)

    async def _roster(self) -> tuple[int, int] | str:
        """Position and number of postings, over all pages; or what came instead."""
        count, cursor = 0, dict[str, Any]()
        while True:
            answer = await self.asker.get("/roster", status="any", limit=200, **cursor)
            if answer.status_code != 200:
                return f"{answer.status_code} {answer.text}"
            said = answer.json()
            count += len(said["items"])
            if said["next"] is None:
                return said["positions"]["registry"], count
            cursor = {"cursor": said["next"]}

    def _judge(self, position: int, count: int) -> None:
        """The postings of the story up to the position that the answer says are all there, and no others; nobody who reads
        goes back in time."""
        self.answered += 1
        if position < self.newest:
            self.failed.append(f"back from {self.newest} to {position}")
        self.newest = position
        there = sum(one.name == "posting.proposed" for one in self.story.recorded[:position])
        if count != there:
            self.failed.append(f"{count} postings instead of {there} at {position}")


async def write(district: District, story: Story) -> None:
    """One posting after another."""
    while True:
        known = story.head
        code = f"W{known}"
        story.post(code, story.person(code), "V1")
        await district.record(story, after=known)
        await asyncio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def in_use(
    databases: Databases, infra: Infra, prefix: str, story: Story
) -> AsyncIterator[tuple[District, Reads]]:
    """A district in which somebody writes and two read, while all of it runs."""
    async with opened(databases, infra, prefix) as district, district.relayed(), district.working():
        await district.record(told(story))
        build = await district.comes_to(story.head)
        reads = Reads(Asker(Reader(district.own, build)), story)
        async with running(write(district, story), reads.go_on()):
            yield district, reads


async def test_every_read_is_answered_and_right_while_read_models_are_rebuilt_under_writes(
    databases: Databases, infra: Infra, topic_prefix: str, scale: Scale
) -> None:
    story, rebuilds = Story(), scale(2, 20)
    async with in_use(databases, infra, topic_prefix, story) as (district, reads):
        for number in range(rebuilds):
            events = ledger_events(district.ledger)
            if number % 2:
                done = await rebuild_from_kafka(district.own, district.kafka, KEK, TODAY, events)
            else:
                done = await rebuild_from_ledger(district.own, district.ledger, KEK, TODAY, events)
            assert done.before is None and done.audited is not None and done.audited.difference is None
            began = story.head
            await district.comes_to(began)
    assert reads.failed == []
    assert reads.answered > 10 * rebuilds
    print(f"{rebuilds} rebuilds, {reads.answered} reads, {story.head} events, {len(reads.failed)} failed")


async def test_who_refills_the_tables_in_place_shows_readers_too_little(
    databases: Databases, infra: Infra, topic_prefix: str
) -> None:
    async with in_use(databases, infra, topic_prefix, Story()) as (district, reads):
        build = await district.live()
        assert build is not None
        await refill_in_place(district.own, district.ledger, build)
    assert any("postings instead of" in one for one in reads.failed), reads.failed
