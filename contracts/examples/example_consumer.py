"""Who is posted where, as it is recorded: python example_consumer.py HOST:PORT"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer
from xiapai_contracts.event import UnknownEvent
from xiapai_contracts.record import MARKER, Meta, from_headers
from xiapai_contracts.topics import CODEC


async def follow(bootstrap: str, topic: str = "registry.postings") -> AsyncIterator[tuple[int, Meta, Any]]:
    reached: dict[int, tuple[str, int]] = {}  # keep this in your own database, in the transaction of what you derive
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        async for record in consumer:
            meta = from_headers(record.headers)
            epoch, position = reached.setdefault(record.partition, (meta.epoch, 0))
            if meta.epoch != epoch:  # the ledger was restored, and all of it comes again
                position = 0
                yield record.partition, meta, None
            if meta.previous > position:  # the broker lost some; once that is noticed, all of it comes again
                print(f"partition {record.partition}: {position} is not followed by {meta.position}", file=sys.stderr)
            elif meta.position > position:  # else it is here for the second time
                reached[record.partition] = (meta.epoch, meta.position)
                if meta.type != MARKER:
                    try:
                        yield record.partition, meta, CODEC.decode(meta.type, meta.schema, record.value)
                    except UnknownEvent:
                        continue  # a kind of event that is younger than the installed package
    finally:
        await consumer.stop()


async def main(bootstrap: str) -> None:
    async for partition, meta, event in follow(bootstrap):
        if event is None:
            print(f"forget what came from partition {partition}: everything comes again")
        else:
            print(meta.position, meta.recorded_at, meta.stream, event)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
