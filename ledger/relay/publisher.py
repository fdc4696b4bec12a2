"""Send waves of batches to Kafka. What is acknowledged is a prefix of every partition, whatever fails."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from xiapai_contracts.record import Headers

from ledger.ending import closed
from ledger.kafka import KafkaSettings, Partition
from ledger.tracing import Part, together

BATCH_BYTES = 256 * 1024
WAVE_SECONDS = 20.0


class NotAcknowledged(KafkaError):  # type: ignore[misc]
    """The broker did not say in time that it has a wave."""


@dataclass(slots=True)
class Queue:
    """What one partition gets in a wave: batches, one after another, the position that its last record says, and the
    spans of its events while such are made."""

    batches: list[Any] = field(default_factory=list)
    at: int = 0
    event: int = 0
    parts: list[Part] = field(default_factory=list)


class Publisher:
    """A producer and what is built for it. After any failure it must be closed and another one made."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer = AIOKafkaProducer(
            **settings.connection(),
            acks="all",
            enable_idempotence=settings.idempotent,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=10_000,
        )

    async def __aenter__(self) -> "Publisher":
        try:
            await self._producer.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def add(self, queue: Queue, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Put one record behind what the queue holds."""
        batches = queue.batches
        if batches and not self._settings.single_record_batches:
            if batches[-1].append(timestamp=None, key=key, value=value, headers=headers) is not None:
                return
            batches[-1].close()
        batch = self._producer.create_batch()
        batch.append(timestamp=None, key=key, value=value, headers=headers)
        batches.append(batch)

    async def send(self, wave: Mapping[Partition, Queue]) -> dict[Partition, int]:
        """The offset of the last record of each partition, once the broker has acknowledged all of them.

        Raises:
            KafkaError: something was not acknowledged; of every partition, a prefix may be there.
        """
        partitions = list(wave)
        sending = [asyncio.ensure_future(self._send(partition, wave[partition].batches)) for partition in partitions]
        parts = [part for queue in wave.values() for part in queue.parts]
        try:
            with together("publish batch", parts, {"messaging.system": "kafka"}):
                async with asyncio.timeout(WAVE_SECONDS):
                    offsets = await asyncio.gather(*sending)
        except TimeoutError:
            raise NotAcknowledged("no acknowledgement in time") from None
        finally:
            for task in sending:
                task.cancel()
        return dict(zip(partitions, offsets, strict=True))

    async def _send(self, partition: Partition, batches: Sequence[Any]) -> int:
        # One at a time: a batch that follows a failed one would leave a hole before it.
        name, last = self._settings.prefix + partition[0], -1
        for batch in batches:
            sent = await self._producer.send_batch(batch, name, partition=partition[1])
            acknowledged = await sent
            if acknowledged.offset < 0:
                raise NotAcknowledged("the broker acknowledged without an offset")
            last = acknowledged.offset + batch.record_count() - 1
        return last

    async def close(self) -> None:
        await closed(self._close())

    async def _close(self) -> None:
        # stop() waits for batches that an idempotent producer tries for ever; those must not arrive behind the back
        # of the producer that comes next, so its sender is ended too.
        try:
            with suppress(Exception):
                async with asyncio.timeout(1.0):
                    await self._producer.stop()
        finally:
            with suppress(Exception):
                await self._producer._sender.close()
            await self._producer.client.close()
