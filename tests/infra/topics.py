"""Topics of one test on a shared broker: told apart by a prefix, deleted afterwards so that the broker stays light."""

from aiokafka.admin import AIOKafkaAdminClient

from deploy.embedded.apart import run_apart


def delete_topics(bootstrap: str, prefix: str) -> None:
    async def delete() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            mine = [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
            if mine:
                await admin.delete_topics(mine)
        finally:
            await admin.close()

    run_apart(delete())
