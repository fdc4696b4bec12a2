"""The servers that tests share are what they say they are."""

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.infra.topics import delete_topics


async def test_each_test_has_a_database_of_its_own(databases: Databases) -> None:
    first, second = databases(), databases()
    connection = await asyncpg.connect(first)
    await connection.execute("CREATE TABLE mine ()")
    await connection.close()
    other = await asyncpg.connect(second)
    assert await other.fetchval("SELECT to_regclass('mine')") is None
    await other.close()


async def test_the_topics_of_a_test_are_deleted_after_it(infra: Infra) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=infra.kafka)
    await admin.start()
    await admin.create_topics([NewTopic("tgone.registry.postings", 1, 1), NewTopic("tkept.registry.postings", 1, 1)])
    delete_topics(infra.kafka, "tgone.")
    left = await admin.list_topics()
    await admin.delete_topics(["tkept.registry.postings"])
    await admin.close()
    assert "tgone.registry.postings" not in left
    assert "tkept.registry.postings" in left
