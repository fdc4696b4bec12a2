"""A story of the programme, told event by event, as a ledger would hold it and as Kafka would bring it."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.registry import (
    CadreArrived,
    CadreEnrolled,
    PersonErased,
    PersonRegistered,
    PostingApproved,
    PostingProposed,
    UnitRegistered,
)
from xiapai_contracts.terms import Category, Rank, Tier, UnitKind
from xiapai_contracts.topics import CODEC

from chassis.seal import Kek, new_key, seal
from ledger import deadletters
from ledger.deliver import Delivered
from ledger.recorded import Recorded
from ledger.sift import letter
from services.projection import builds
from services.projection.from_ledger import delivered, delivered_key
from services.projection.project import TOPICS, project
from services.projection.tables import metadata

KEK = Kek(bytes(range(32)))
BEGAN = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)
NOW = datetime(2026, 7, 1, 1, 0, tzinfo=UTC)
JAN, JUN = date(2026, 1, 10), date(2026, 6, 30)


def stream_of(event: Any) -> str:
    for kind in ("posting", "unit", "person"):
        if type(event).event_name.startswith((kind, "cadre" if kind == "person" else kind)):
            return f"{kind}-{getattr(event, kind)}"
    raise AssertionError(event)


class Story:
    """Positions count from 1; each event is recorded a minute after the one before."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.keys: list[Delivered] = []
        self._versions: dict[str, int] = {}
        self._keys: dict[str, bytes] = {}

    @property
    def head(self) -> int:
        return len(self.recorded)

    def tell(self, *events: Any) -> int:
        """Record events; the position of the last."""
        for event in events:
            position = self.head + 1
            stream = stream_of(event)
            version = self._versions[stream] = self._versions.get(stream, 0) + 1
            moment = BEGAN + timedelta(minutes=position)
            self.recorded.append(
                Recorded(
                    position=position,
                    stream=stream,
                    version=version,
                    name=type(event).event_name,
                    schema=1,
                    data=CODEC.encode(event),
                    id=UUID(int=position),
                    cause="",
                    by="office-1",
                    at=moment,
                    recorded_at=moment,
                    trace="",
                    stream_hash=b"",
                    hash=b"",
                )
            )
        return self.head

    def unit(self, code: str, kind: UnitKind, parent: str | None = None, name: str | None = None) -> str:
        self.tell(UnitRegistered(unit=code, name=name or f"单位{code}", kind=kind, parent=parent))
        return code

    def person(self, number: str, name: str = "张三", unit: str = "D1") -> str:
        key = self._keys[number] = new_key()
        self.keys.append(delivered_key(f"person-{number}", KEK.wrap(number, key).encode(), len(self.keys) + 1))
        self.tell(
            PersonRegistered(person=number, sealed=self.sealed(number, name)),
            CadreEnrolled(person=number, unit=unit, rank=Rank.STAFF),
        )
        return number

    def sealed(self, number: str, name: str) -> str:
        return seal(self._keys[number], number, {"name": name, "identity": None})

    def erase(self, number: str) -> None:
        self.keys.append(delivered_key(f"person-{number}", None, len(self.keys) + 1))
        self.tell(PersonErased(person=number, ground="request"))

    def propose(self, code: str, person: str, host: str, **other: Any) -> PostingProposed:
        given: dict[str, Any] = {
            "tier": Tier.DISTRICT,
            "category": Category.RURAL_GUIDE,
            "sender": "D1",
            "starts": JAN,
            "ends": date(2027, 12, 31),
        }
        event = PostingProposed(
            posting=code, person=person, host=host, **(given | {"basis": "广文〔2026〕3号"} | other)
        )
        self.tell(event)
        return event

    def post(self, code: str, person: str, host: str, arrived: date | None = JAN, **other: Any) -> str:
        """A posting proposed, approved and arrived."""
        event = self.propose(code, person, host, **other)
        self.tell(PostingApproved(posting=code))
        if arrived is not None:
            self.tell(
                CadreArrived(
                    posting=code,
                    on=arrived,
                    person=person,
                    host=host,
                    sender=event.sender,
                    tier=event.tier,
                    category=event.category,
                    ends=event.ends,
                )
            )
        return code

    async def events(self, upto: int) -> AsyncIterator[Recorded]:
        """What a ledger's reader would give."""
        for recorded in self.recorded[:upto]:
            yield recorded

    def delivered(self) -> list[Delivered]:
        return [item for recorded in self.recorded if (item := delivered(recorded, "epoch")) is not None]


class Reader:
    """A database with one live build, fed without Kafka."""

    def __init__(self, engine: AsyncEngine, build: builds.Build) -> None:
        self.engine = engine
        self.build = build

    async def take(self, items: Iterable[Delivered], batch: int = 50) -> None:
        """What a handler does with batches."""
        rest = list(items)
        for start in range(0, len(rest), batch):
            async with self.engine.begin() as connection:
                await builds.use(connection, self.build)
                await project(connection, rest[start : start + batch], KEK)

    async def clear(self) -> None:
        """Begin with nothing again."""
        async with self.engine.begin() as connection:
            await builds.use(connection, self.build)
            await connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}, watermarks"))

    async def reach(self, position: int, newest: int | None = None, at: datetime | None = None) -> None:
        """What markers do: every partition is known up to ``position``."""
        rows = [
            {"handler": self.build.handler, "topic": topic.name, "partition": partition, "reached": position}
            | {"newest": newest if newest is not None else position, "at": at or datetime.now(UTC)}
            for topic in TOPICS
            for partition in range(topic.partitions)
        ]
        async with self.engine.begin() as connection:
            await connection.execute(
                text("""INSERT INTO watermarks (handler, topic, partition, epoch, position, hash, "offset", next, reached, reached_at)
                    VALUES (:handler, :topic, :partition, 'epoch', :newest, '', 0, 1, :reached, :at)
                    ON CONFLICT (handler, topic, partition) DO UPDATE SET position = excluded.position,
                        reached = excluded.reached, reached_at = excluded.reached_at"""),
                rows,
            )

    async def park(self, item: Delivered) -> None:
        """An event that the handler could not take."""
        async with self.engine.begin() as connection:
            await deadletters.park(connection, self.build.handler, [letter(item, "planted")])

    async def unpark(self) -> None:
        """Nothing is parked any more."""
        async with self.engine.begin() as connection:
            await connection.execute(text("DELETE FROM dead_letters"))

    async def read(self, story: Story, items: Sequence[Delivered] | None = None) -> None:
        """Take up a whole story."""
        await self.take([*story.keys, *(story.delivered() if items is None else items)])
        await self.reach(story.head)
