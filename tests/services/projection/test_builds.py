"""Builds beside each other, on a real ledger, relay and broker: nothing is lost or counted twice on the way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
from sqlalchemy import text
from xiapai_contracts.registry import TOPICS, HostChanged

from chassis.health import Fine, Missing
from chassis.identity.principal import Role
from chassis.problems import Unavailable
from ledger.database import connect
from ledger.migrate import SchemaNewer, migrate
from ledger.reader import epoch
from ledger.watermark import await_lives
from services.projection import builds
from services.projection.audit import audit, ledger_events
from services.projection.keeper import Keeper, prepare
from services.projection.rebuild import AlreadyRebuilding, NotRight, rebuild_from_kafka, rebuild_from_ledger
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.ledger.kafka_support import running
from tests.services.projection.asking import Asker
from tests.services.projection.district import TODAY, District, opened, told
from tests.services.projection.story import KEK, Reader, Story


@pytest.fixture
async def district(databases: Databases, infra: Infra, topic_prefix: str) -> AsyncIterator[District]:
    async with opened(databases, infra, topic_prefix) as made:
        yield made


async def test_the_first_build_is_live_at_once_and_fills_over_kafka(district: District, story: Story) -> None:
    await district.record(told(story))
    async with district.relayed(), district.working():
        build = await district.comes_to(story.head)
        assert build.epoch is not None
        await district.sound()
        said = await Asker(Reader(district.own, build)).ask("/roster", q="shan", limit=200)
        assert len(said["items"]) == 30


async def test_a_rebuild_from_the_ledger_goes_live_and_goes_on_from_kafka(district: District, story: Story) -> None:
    await district.record(told(story))
    async with district.relayed(), district.working():
        before = await district.comes_to(story.head)
        seen: list[tuple[int, int]] = []
        done = await rebuild_from_ledger(
            district.own, district.ledger, KEK, TODAY, ledger_events(district.ledger), lambda *at: seen.append(at)
        )
        assert seen[-1] == (story.head, story.head)
        assert done.before is None and done.audited is not None and done.audited.difference is None
        assert done.build.id > before.id and done.position == story.head
        known = story.head
        story.tell(HostChanged(posting="P1", host="V4", on=date(2026, 5, 1)))
        story.post("P99", story.person("99"), "V1")
        await district.record(story, after=known)
        now = await district.comes_to(story.head, other_than=before.id)
        assert now.id == done.build.id
        await district.sound()


async def test_a_rebuild_from_the_ledger_needs_no_kafka(district: District, story: Story) -> None:
    await district.record(told(story))
    done = await rebuild_from_ledger(district.own, district.ledger, KEK, TODAY)
    said = await Asker(Reader(district.own, done.build)).ask("/roster", q="shan", limit=200)
    assert len(said["items"]) == 30
    await district.sound()


async def test_a_rebuild_from_kafka_reads_from_the_beginning_beside_the_live_one(
    district: District, story: Story
) -> None:
    await district.record(told(story))
    async with district.relayed(), district.working():
        before = await district.comes_to(story.head)
        asker = Asker(Reader(district.own, before))
        asked: list[int] = []

        async def ask() -> None:
            while True:
                asked.append(len((await asker.of(Role.OFFICE).ask("/roster", limit=200))["items"]))

        async with running(ask()):
            done = await rebuild_from_kafka(district.own, district.kafka, KEK, TODAY, ledger_events(district.ledger))
            await asyncio.sleep(0.2)
        assert set(asked) == {30}
        assert done.before is None and done.build.id > before.id
        known = story.head
        story.post("P99", story.person("99"), "V1")
        await district.record(story, after=known)
        await district.comes_to(story.head, other_than=before.id)
        await district.sound()


async def test_a_wrong_live_build_is_named_and_replaced(district: District, story: Story) -> None:
    await district.record(told(story))
    async with district.relayed(), district.working():
        before = await district.comes_to(story.head)
        async with district.own.begin() as connection:
            await connection.execute(
                text(f"UPDATE {before.schema}.postings SET ends = '2026-02-01' WHERE posting = 'P3'")
            )
        wrong = await audit(district.own, ledger_events(district.ledger), TODAY)
        assert wrong is not None and wrong.difference is not None and "P3" in wrong.difference.where
        done = await rebuild_from_kafka(district.own, district.kafka, KEK, TODAY, ledger_events(district.ledger))
        assert done.before is not None
        assert (done.before.table, done.before.key) == ("postings", "P3")
        await district.sound()


async def test_a_build_that_is_not_what_the_ledger_says_does_not_go_live(district: District, story: Story) -> None:
    await district.record(told(story, 3))
    first = await rebuild_from_ledger(district.own, district.ledger, KEK, TODAY)
    other = Story()
    told(other, 3)
    other.tell(HostChanged(posting="P2", host="V0", on=TODAY))
    other.recorded[-2:] = other.recorded[-1:]  # in place of the last event
    with pytest.raises(NotRight) as refused:
        await rebuild_from_ledger(district.own, district.ledger, KEK, TODAY, other.events)
    assert "P2" in str(refused.value.audited.difference)
    async with district.own.connect() as connection:
        assert [(build.id, build.state) for build in await builds.builds(connection)] == [(first.build.id, "live")]


async def test_a_newer_program_builds_beside_and_switches_by_itself(district: District, story: Story) -> None:
    await district.record(told(story))
    async with district.relayed():
        async with district.working():
            before = await district.comes_to(story.head)
        async with district.own.begin() as connection:
            await connection.execute(text("UPDATE builds SET version = version - 1"))
        async with district.working():
            await district.comes_to(story.head, other_than=before.id)
            await district.sound()


async def test_an_older_program_leaves_a_newer_build_alone(district: District, story: Story) -> None:
    async with district.own.begin() as connection:
        (build,) = await prepare(connection)
        await connection.execute(text("UPDATE builds SET version = version + 1"))
    async with district.own.begin() as connection:
        assert await prepare(connection) == []
        assert [one.id for one in await builds.builds(connection)] == [build.id]


async def test_an_older_api_reads_on_after_the_switch_and_is_not_started_again(district: District) -> None:
    async with district.own.begin() as connection:
        (mine,) = await prepare(connection)
    async with district.own.begin() as connection:  # as the newer program's worker does it
        newer = await builds.begin(connection, version=builds.VERSION + 1)
        assert await builds.readable(connection) == mine
        await builds.switch(connection, newer)
    async with builds.reading(district.own) as (_, build):
        assert build.id == mine.id, "while it is kept"
    with pytest.raises(SchemaNewer, match="start the newer program"):
        await builds.refuse_newer(district.own)
    async with district.own.begin() as connection:
        assert [one.id for one in await builds.sweep(connection, timedelta(0))] == [mine.id]
    with pytest.raises(Unavailable):
        async with builds.reading(district.own):
            pass


async def test_a_worker_is_ready_once_its_own_read_models_are_live(district: District) -> None:
    async with district.own.begin() as connection:
        await prepare(connection)
    keeper = Keeper(district.own, district.kafka, KEK, [])
    assert isinstance(await keeper.ready(), Fine)
    async with district.own.begin() as connection:
        await connection.execute(text("UPDATE builds SET version = version - 1"))
    assert isinstance(await keeper.ready(), Missing)
    async with district.own.begin() as connection:
        (next_one,) = await prepare(connection)
        await builds.switch(connection, next_one)
    assert isinstance(await keeper.ready(), Fine)
    await builds.refuse_newer(district.own)


async def test_a_ledger_that_was_restored_is_told_by_another_build(
    district: District, databases: Databases, story: Story
) -> None:
    await district.record(told(story, 10))
    async with district.working():
        async with district.relayed():
            before = await district.comes_to(story.head)
        # the backup had five postings less; the next life goes on otherwise from there
        restored = connect(databases())
        await migrate(restored)
        again = District(restored, district.own, district.kafka)
        shorter = told(Story(), 5)
        shorter.post("Q1", shorter.person("q"), "V2")
        await again.record(shorter)
        async with again.relayed():
            now = await again.comes_to(shorter.head, other_than=before.id)
            assert now.epoch != before.epoch and now.former == (before.epoch,)
            await again.sound()
        await restored.dispose()


async def test_a_build_after_a_restore_passes_over_what_the_topics_hold_of_the_life_before(
    district: District, databases: Databases, story: Story
) -> None:
    await district.record(told(story, 10))
    async with district.relayed(), district.working():
        await district.comes_to(story.head)
    restored = connect(databases())
    await migrate(restored)
    again = District(restored, connect(databases()), district.kafka)
    await builds.migrate(again.own)
    async with restored.connect() as connection:
        life = await epoch(connection)
    async with again.own.begin() as connection:  # as a restore leaves it: what the first build has to wait for is known
        (first,) = await prepare(connection)
        await await_lives(connection, first.handler, TOPICS, {"registry": life})
    shorter = told(Story(), 5)
    await again.record(shorter)
    async with again.relayed():
        async with again.working():
            await again.comes_to(shorter.head)
        async with again.own.begin() as connection:
            await connection.execute(text("UPDATE builds SET version = version - 1"))
        async with again.working():
            second = await again.comes_to(shorter.head, other_than=first.id)
            known = shorter.head
            shorter.post("Q1", shorter.person("q"), "V2")
            await again.record(shorter, after=known)
            assert await again.comes_to(shorter.head) == second, "and goes on"
            await again.sound()
        assert (second.epoch, second.successor) == (life, None)
        rebuilt = await rebuild_from_kafka(again.own, again.kafka, KEK, TODAY, ledger_events(again.ledger))
        assert (rebuilt.audited, rebuilt.build.epoch) != (None, None) and rebuilt.build.epoch == life
    await again.own.dispose()
    await restored.dispose()


async def test_one_rebuild_at_a_time_and_what_a_killed_one_left_is_dropped(district: District, story: Story) -> None:
    await district.record(told(story, 3))
    async with district.own.connect() as connection:
        await connection.execute(text("SELECT pg_advisory_lock(hashtext('xiapai.rebuild'))"))
        with pytest.raises(AlreadyRebuilding):
            await rebuild_from_ledger(district.own, district.ledger, KEK, TODAY)
        await connection.execute(text("SELECT pg_advisory_unlock(hashtext('xiapai.rebuild'))"))
    async with district.own.begin() as connection:
        left = await builds.begin(connection, "filling")
    done = await rebuild_from_ledger(district.own, district.ledger, KEK, TODAY)
    async with district.own.connect() as connection:
        assert [build.id for build in await builds.builds(connection)] == [done.build.id]
        found = await connection.scalar(text("SELECT to_regnamespace(:schema)"), {"schema": left.schema})
    assert found is None
