"""A relay or a worker in a process of its own, to be killed or frozen: role, DSN, bootstrap, kind, prefix."""

import asyncio
import signal
import sys
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.database import connect
from ledger.deliver import Delivered
from ledger.relay import Relay
from ledger.worker import Worker
from tests.ledger.kafka_support import CODEC, TOPICS, Shelf, settings_for


class SlowShelf(Shelf):
    """Takes its time inside the transaction, so that a signal finds it there."""

    async def apply(self, connection: AsyncConnection, events: Sequence[Delivered]) -> None:
        await super().apply(connection, events)
        print("applying", flush=True)
        await asyncio.sleep(0.3)


async def main(role: str, dsn: str, bootstrap: str, kind: str, prefix: str) -> None:
    engine = connect(dsn)
    settings = settings_for(bootstrap, kind, prefix)
    if role == "relay":
        running = asyncio.create_task(Relay(engine, settings, "shelf", TOPICS).run())
    else:
        worker = Worker("test", settings, CODEC)
        worker.add(engine, SlowShelf().handler)
        running = asyncio.create_task(worker.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    print("started", flush=True)
    try:
        await running
    except asyncio.CancelledError:
        print("stopped", flush=True)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
