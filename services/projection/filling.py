"""A build filled from the registry's own ledger, up to where that stands, and again for what came since."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.registry import HEADS

from chassis.seal import Kek
from ledger import reader, watermark
from ledger.database import moment, transaction
from ledger.deliver import Delivered
from ledger.kafka import Partition
from ledger.schema import keyring
from ledger.watermark import Watermark
from services.projection.audit import Progress
from services.projection.builds import Build, use
from services.projection.cut import EVENT_TOPICS
from services.projection.from_ledger import delivered, delivered_key
from services.projection.project import TOPICS, project

_PORTION = 2000


class Filling:
    """``epoch`` is the ledger's life, ``progress`` is told the position reached and the one to be reached."""

    def __init__(
        self, engine: AsyncEngine, ledger: AsyncEngine, build: Build, kek: Kek, epoch: str, progress: Progress
    ) -> None:
        self._engine, self._ledger, self._build, self._kek = engine, ledger, build, kek
        self._epoch, self._progress = epoch, progress
        self._marks: dict[Partition, int] = {(t.name, n): 0 for t in TOPICS for n in range(t.partitions)}
        self._after = 0

    async def catch_up(self) -> None:
        """Take what the ledger holds now beyond what was taken before. Keys go first, whole, since destroyed ones too
        are changes: whoever was erased is not shown by an older event."""
        async with moment(self._ledger) as source:
            head = await reader.head(source)
            rows = (await source.execute(select(keyring.c.stream, keyring.c.wrapped, keyring.c.change))).all()
            keys = [delivered_key(row.stream, row.wrapped, row.change, self._epoch) for row in rows]
            for start in range(0, len(keys), _PORTION):
                await self._take(keys[start : start + _PORTION])
            while self._after < head:
                portion = await reader.read(source, self._after, _PORTION)
                await self._take([item for one in portion if (item := delivered(one, self._epoch)) is not None])
                self._after = portion[-1].position
                self._progress(self._after, head)
        await self._mark(head)

    async def reach(self, position: int) -> None:
        """Hold at least what stands up to ``position``, which the ledger holds."""
        if position > self._after:
            await self.catch_up()

    async def _take(self, items: Sequence[Delivered]) -> None:
        async with transaction(self._engine) as connection:
            await use(connection, self._build)
            await project(connection, items, self._kek)
        for item in items:
            place = (item.topic, item.partition)
            self._marks[place] = max(self._marks[place], item.meta.position)

    async def _mark(self, head: int) -> None:
        evented, now = {topic.name for topic in (*EVENT_TOPICS, HEADS)}, datetime.now(UTC)
        saved = {
            (topic, number): Watermark(
                epoch=self._epoch,
                position=position,
                reached=head if topic in evented else position,
                reached_at=now if topic in evented else None,
            )
            for (topic, number), position in self._marks.items()
        }
        async with transaction(self._engine) as connection:
            await watermark.load(connection, self._build.handler, self._marks)
            await watermark.save(connection, self._build.handler, saved)
