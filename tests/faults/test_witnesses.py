"""A ledger whose tail is gone, as an operator meets it: `verify-chain` says so, and the relay publishes nothing of it."""

from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.notify import HEADS, ReminderDelivered
from xiapai_contracts.notify import TOPICS as NOTIFY
from xiapai_contracts.topic import Topic
from xiapai_contracts.topics import CODEC

from chassis.tools import kafka_settings
from deploy.embedded.apart import run_apart
from ledger.append import Append, Appender
from ledger.chain import Broken, verify
from ledger.database import connect
from ledger.kafka import KafkaSettings, topic_name
from ledger.reader import epoch, read
from ledger.relay import Relay
from ledger.testimony import remembered
from tests.e2e.conftest import prepared
from tests.e2e.system import System
from tests.faults.naive import TrustingRelay
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.ledger.kafka_support import AT, JARS, TOPICS, everything, fill, ledger, record, running, settings_for, until


async def tampered(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await connection.execute(text(statement))


async def is_published(engine: AsyncEngine, position: int) -> bool:
    async with engine.connect() as connection:
        return await remembered(connection) == position


async def aged(kafka: KafkaSettings, heads: Topic) -> None:
    """The topic of heads a day later: its markers are gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic_name(kafka, heads), 0): RecordsToDelete(-1)})
    finally:
        await admin.close()


async def published_and_cut(engine: AsyncEngine, kafka: KafkaSettings) -> None:
    """Twenty events are published, and while the relay runs a backup from before the last five is put in place."""
    await record(engine, *fill(20))
    async with running(Relay(engine, kafka, "shelf", TOPICS).run()):
        await until(lambda: is_published(engine, 20))
        await tampered(engine, "CREATE TABLE kept AS TABLE ledger", "DELETE FROM ledger WHERE position > 15")


async def follows(kafka: KafkaSettings, engine: AsyncEngine) -> bool:
    """Whether readers were told of the ledger's present life what stands in it."""
    async with engine.connect() as connection:
        recorded = await read(connection, 0, 100)
        life = await epoch(connection)
    told = {one.meta.position: one.meta.hash for one in await everything(kafka, JARS) if one.meta.epoch == life}
    return told == {one.position: one.hash for one in recorded}


async def recorded_and_published(system: System) -> None:
    """Twenty events in the ledger of notify and in its topic, a day ago."""
    kafka = kafka_settings(system.settings)
    engine = connect(system.settings.database("notify"))
    async with Appender(engine, CODEC) as appender:
        for number in range(20):
            sent = ReminderDelivered(reminder=f"r{number}", channel="webhook", delivered_at=AT, attempts=1)
            await appender.append(Append(by="test", at=AT, events=[(f"reminder-r{number}", sent)]))
    async with running(Relay(engine, kafka, "notify", NOTIFY).run()):
        await until(lambda: is_published(engine, 20))
    await aged(kafka, HEADS)
    await engine.dispose()


async def tampered_at(dsn: str | URL, *statements: str) -> None:
    engine = connect(dsn)
    await tampered(engine, *statements)
    await engine.dispose()


async def unbroken(dsn: str | URL) -> int:
    """How far the chains hold by themselves, as one verifies them who asks no witness."""
    engine = connect(dsn)
    async with engine.connect() as connection:
        steps = [step async for step in verify(connection)]
    await engine.dispose()
    last = steps[-1]
    assert not isinstance(last, Broken)
    return last


def test_a_tail_that_was_cut_is_found_though_the_relay_stood_still_for_a_day(
    infra: Infra, real_kafka: str, tmp_path: Path
) -> None:
    """The chains alone do not show it: what is left of them holds."""

    def verified(system: System) -> tuple[int, str]:
        done = system.command("verify-chain")
        return done.exit_code, next(line for line in done.output.splitlines() if line.startswith("notify"))

    with prepared(infra, tmp_path) as system:
        dsn = system.settings.database("notify")
        run_apart(recorded_and_published(system))
        code, said = verified(system)
        assert code == 0 and "20 条完好" in said and "up to 20" in said, said
        run_apart(tampered_at(dsn, "DELETE FROM ledger WHERE position > 15"))
        assert verified(system) == (1, "notify: 第 16 条不符 broken at (tail): 数据库所记 its database up to 20")
        assert run_apart(unbroken(dsn)) == 15, "who asks no witness finds nothing"
        run_apart(tampered_at(dsn, "UPDATE relay SET position = 0, partitions = '{}'"))
        assert verified(system) == (1, "notify: 第 16 条不符 broken at (tail): 主题 topic notify.reminders")


async def test_a_ledger_that_is_not_what_was_published_of_it_is_not_published_on(
    databases: Databases, infra: Infra, topic_prefix: str
) -> None:
    """A relay that trusts its ledger goes through the same, and tells its readers two stories under one name."""
    kafka, other = (
        settings_for(infra.kafka, infra.kafka_kind, f"{topic_prefix}{name}.") for name in ("ours", "trusting")
    )
    async with ledger(databases()) as ours, ledger(databases()) as theirs:
        await published_and_cut(ours, kafka)
        await published_and_cut(theirs, other)
        relay, trusting = Relay(ours, kafka, "shelf", TOPICS), TrustingRelay(theirs, other, "shelf", TOPICS)
        there = len(await everything(kafka, JARS))
        async with running(relay.run(), trusting.run()):
            await until(lambda: relay.trouble.startswith("ledger: it ends at 15, and 20 was published"))
            # and went on otherwise
            for engine in (ours, theirs):
                await record(engine, *fill(6, start=100))
            await until(lambda: "has another hash" in relay.trouble)
            assert len(await everything(kafka, JARS)) == there, "readers are told nothing of it"
            await until(lambda: is_published(theirs, 21))
            assert not await follows(other, theirs), (
                "what a trusting relay told its readers follows from nothing they have"
            )
            await tampered(ours, "UPDATE ledger_meta SET epoch = 'restored'")
            await until(lambda: is_published(ours, 21))
            await until(lambda: not relay.trouble)
        assert len(await everything(kafka, JARS)) == there + 21, "a new life is told from its beginning"
        assert await follows(kafka, ours)
