"""A district to measure with: the events of its units, persons and postings, seeded; fictional, division 990117.

They are written into the ledger by COPY, with both chains, so that what follows (relay, delivery, projection, queries)
meets what an appender would have left, and a million of them are there in a minute.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from typing import Any
from uuid import UUID

import asyncpg
from xiapai_contracts.event import event_type
from xiapai_contracts.registry import (
    CadreArrived,
    CadreEnrolled,
    PersonRegistered,
    PostingApproved,
    PostingCorrected,
    PostingExtended,
    PostingProposed,
    UnitRegistered,
)
from xiapai_contracts.terms import Category, Mode, Rank, Tier, UnitKind
from xiapai_contracts.topics import CODEC

from chassis.seal import Kek, new_key, seal
from ledger.chain import GENESIS, stream_hash, table_hash

AT = datetime(2026, 7, 1, 1, tzinfo=UTC)
KEK = Kek(bytes(range(32)))
_SURNAMES, _GIVEN = "王李张刘陈杨黄赵吴周徐孙马朱胡", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英"
_PORTION = 20_000


def proposal(posting: str, person: str, host: str = "990117-1-001", sender: str = "990117-0-001") -> PostingProposed:
    return PostingProposed(
        posting=posting,
        person=person,
        tier=Tier.DISTRICT,
        category=Category.RURAL_GUIDE,
        sender=sender,
        host=host,
        starts=date(2026, 1, 5),
        ends=date(2027, 12, 31),
        basis="渝东委组〔2026〕12号",
        mode=Mode.SECONDMENT,
        duty="驻村指导员",
        sender_contact="p-1",
        host_contact="p-2",
    )


@dataclass(slots=True)
class District:
    """``size`` postings; ``events`` in all, what is more than their ordinary life falls on random postings as
    extensions and corrections. ``keys`` are the persons' wrapped keys, there once the events were walked through."""

    postings: int
    events: int = 0
    persons: int = 0
    seed: int = 1
    keys: dict[str, bytes] = field(default_factory=dict)

    @property
    def units(self) -> int:
        return max(30, self.postings // 30)

    def walk(self) -> Iterator[tuple[str, Any]]:
        """Stream and event, in the order of the ledger."""
        return islice(self._walk(), self.events) if self.events else self._ordinary()

    def _walk(self) -> Iterator[tuple[str, Any]]:
        yield from self._ordinary()
        dice = random.Random(self.seed)
        while True:
            yield self._later(dice.randrange(self.postings), dice)

    def _ordinary(self) -> Iterator[tuple[str, Any]]:
        """Everybody's arrival: 3 events a posting."""
        persons = self.persons or self.postings
        return chain(
            self._units(),
            chain.from_iterable(self._person(n) for n in range(persons)),
            chain.from_iterable(self._posting(n, persons) for n in range(self.postings)),
        )

    def _units(self) -> Iterator[tuple[str, Any]]:
        townships = max(3, self.units // 20)
        for n in range(self.units):
            code = _unit(n)
            kind = UnitKind.DISTRICT_DEPARTMENT if n == 0 else UnitKind.TOWN if n <= townships else UnitKind.VILLAGE
            parent = None if n <= townships else _unit(1 + n % townships)
            yield f"unit-{code}", UnitRegistered(unit=code, name=f"单位{n}", kind=kind, parent=parent)

    def _person(self, n: int) -> Iterator[tuple[str, Any]]:
        dice, person, key = random.Random(n), f"p-{n}", new_key()
        name = dice.choice(_SURNAMES) + "".join(dice.choices(_GIVEN, k=2))
        self.keys[f"person-{person}"] = KEK.wrap(person, key).encode()
        sealed = seal(key, person, {"name": name, "identity_number": f"990117199001{n % 10**6:06d}", "phone": None})
        yield f"person-{person}", PersonRegistered(person=person, sealed=sealed)
        yield f"person-{person}", CadreEnrolled(person=person, unit=_unit(0), rank=Rank.STAFF, duty="科员")

    def _posting(self, n: int, persons: int) -> Iterator[tuple[str, Any]]:
        code, person, host = f"P{n}", f"p-{n % persons}", _unit(n % self.units)
        stream = f"posting-{code}"
        yield stream, proposal(code, person, host, _unit(0))
        yield stream, PostingApproved(posting=code)
        yield (
            stream,
            CadreArrived(
                posting=code,
                on=date(2026, 1, 8),
                person=person,
                host=host,
                sender=_unit(0),
                tier=Tier.DISTRICT,
                category=Category.RURAL_GUIDE,
                ends=date(2027, 12, 31),
            ),
        )

    def _later(self, n: int, dice: random.Random) -> tuple[str, Any]:
        code, ends = f"P{n}", date(2027, 12, 31) + timedelta(days=dice.randrange(300))
        if dice.random() < 0.7:
            return f"posting-{code}", PostingExtended(posting=code, ends=ends)
        told = proposal(code, f"p-{n % (self.persons or self.postings)}", _unit(n % self.units), _unit(0))
        return f"posting-{code}", PostingCorrected(
            **{name: getattr(told, name) for name in PostingProposed.__dataclass_fields__} | {"ends": ends},
            arrived_on=date(2026, 1, 8),
            ended_on=None,
            end_reason=None,
            fields=("ends",),
        )


def _unit(n: int) -> str:
    return f"990117-{n % 10}-{n:05d}"


async def fill(dsn: str, events: Iterable[tuple[str, Any]], keys: dict[str, bytes] | None = None) -> int:
    """Write events into an empty ledger; how many. ``keys`` are written last, when all events were walked through."""
    connection = await asyncpg.connect(dsn)
    versions: dict[str, tuple[int, bytes]] = {}
    position, whole = 0, GENESIS
    walking = iter(events)
    try:
        while portion := list(islice(walking, _PORTION)):
            rows = []
            for stream, event in portion:
                position += 1
                version, before = versions.get(stream, (0, GENESIS))
                kind, data, id_ = event_type(event), CODEC.encode(event), UUID(int=position)
                own = stream_hash(
                    before,
                    stream=stream,
                    version=version + 1,
                    name=kind.event_name,
                    schema=kind.event_version,
                    data=data,
                    id=id_.bytes,
                    cause="",
                    by="office",
                    at=AT,
                )
                versions[stream] = version + 1, own
                whole = table_hash(whole, position=position, recorded_at=AT, stream_hash=own)
                rows.append(
                    (position, stream, version + 1, kind.event_name, kind.event_version, data, id_, "", "office", AT, AT, "", own, whole)
                )  # fmt: skip
            await connection.copy_records_to_table("ledger", records=rows)
        if keys:
            changed = [(stream, wrapped, n, AT) for n, (stream, wrapped) in enumerate(keys.items(), 1)]
            await connection.copy_records_to_table("keyring", records=changed)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    return position
