"""Where the plans of rows go: to the ledger, or for a dry run to a rehearsal that decides the same and records nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from ledger.claims import Claim, ClaimTaken, Held, load
from ledger.command import Desk, Plan, Reading
from ledger.database import driver
from ledger.decider import Decider, Refused
from services.registry.imports.row_plans import RowPlan
from services.registry.keyring import Keyring
from services.registry.person import PERSON
from services.registry.posting import POSTING
from services.registry.unit import UNIT

S = TypeVar("S")

TURN = 200
"""Rows that are decided before the ledger has its turn to write: a workbook of 100,000 took 30 s when all of a portion
were decided first, and takes 28 so (measured)."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a row came to: the names of its events (none: it is so already), and the ledger's position."""

    events: tuple[str, ...]
    position: int = 0


Result = Done | Refused | ClaimTaken


class Recorder(Protocol):
    """Takes rows that write to nothing in common."""

    async def record(self, plans: Sequence[tuple[RowPlan, str]]) -> list[Result]:
        """What each row came to, in order; beside each plan stands the cause of its events."""
        ...

    def stands(self, stream: str) -> Any:
        """The state of a stream that was read or written here, else None."""
        ...


class Recording:
    """To the ledger: hundreds of rows share a transaction, and the next hundreds are decided while it is written."""

    def __init__(self, desk: Desk, by: str, at: datetime) -> None:
        self._desk, self._by, self._at = desk, by, at

    async def record(self, plans: Sequence[tuple[RowPlan, str]]) -> list[Result]:
        under_way: list[asyncio.Task[Result]] = []
        for first in range(0, len(plans), TURN):
            under_way += [asyncio.create_task(self._one(*one)) for one in plans[first : first + TURN]]
            await asyncio.sleep(0)
        return list(await asyncio.gather(*under_way))

    async def _one(self, plan: RowPlan, cause: str) -> Result:
        made = Plan()

        async def remembered(reading: Reading) -> Plan:
            nonlocal made
            made = await plan(reading)
            return made

        try:
            receipt = await self._desk.record(remembered, by=self._by, at=self._at, cause=cause)
        except (Refused, ClaimTaken) as refusal:
            return refusal
        return Done(tuple(event.event_name for _, event in made.events), receipt.position)

    def stands(self, stream: str) -> Any:
        known = self._desk.known(_decider(stream), stream)
        return None if known is None else known[1]


class Rehearsal:
    """In memory: what would have been recorded is folded over what stands, and claims are kept by the same rule."""

    def __init__(self, desk: Desk, keyring: Keyring) -> None:
        self._desk, self._keyring = desk, keyring
        self._would: dict[str, Any] = {}
        self._claims: dict[tuple[str, str], list[Claim]] = {}
        self._holders: dict[tuple[str, str], set[tuple[str, str]]] = {}

    async def record(self, plans: Sequence[tuple[RowPlan, str]]) -> list[Result]:
        made = await asyncio.gather(*(self._plan(plan) for plan, _ in plans))
        held = await self._standing([c for one in made if not isinstance(one, Refused) for c in one[0].claims])
        results = [one if isinstance(one, Refused) else self._take(*one, held) for one in made]
        for kind_and_stream, now in held.taken.items():
            self._claims[kind_and_stream] = now
            for claim in now:
                self._holders.setdefault((claim.kind, claim.key), set()).add(kind_and_stream)
        return results

    def stands(self, stream: str) -> Any:
        known = self._desk.known(_decider(stream), stream)
        return self._would.get(stream, None if known is None else known[1])

    async def _plan(self, plan: RowPlan) -> tuple[Plan, Reading] | Refused:
        reading = _Rehearsed(self._desk, self._would)
        try:
            return await plan(reading), reading
        except Refused as refusal:
            return refusal

    def _take(self, plan: Plan, reading: Reading, held: Held) -> Result:
        taken = held.refuse(plan.claims)
        if taken is not None:
            return taken
        held.replace(plan.claims, plan.release)
        for stream, event in plan.events:
            stands = self._would[stream] if stream in self._would else reading.read[stream][2]
            self._would[stream] = _decider(stream).evolve(stands, event)
        self._keyring.hold({stream.partition("-")[2]: key for stream, key in plan.keys.items() if key is not None})
        return Done(tuple(event.event_name for _, event in plan.events))

    async def _standing(self, wanted: list[Claim]) -> Held:
        """The claims that these could meet: those in the table, unless their streams hold others by now."""
        if not wanted:
            return Held(())
        async with self._desk.engine.connect() as connection:
            recorded = [
                c for c in await load(await driver(connection), wanted) if (c.kind, c.stream) not in self._claims
            ]
        holders = {one for claim in wanted for one in self._holders.get((claim.kind, claim.key), ())}
        return Held([*recorded, *(claim for one in holders for claim in self._claims[one])])


class _Rehearsed(Reading):
    """Reads what would stand, then what stands."""

    def __init__(self, desk: Desk, would: Mapping[str, Any]) -> None:
        super().__init__(desk, fresh=False)
        self._would = would

    async def state(self, decider: Decider[Any, S, Any], stream: str, *, new: bool = False) -> S:
        would: S | None = self._would.get(stream)
        # Nothing is appended here that would find out what is not new.
        return await super().state(decider, stream) if would is None else would


def _decider(stream: str) -> Decider[Any, Any, Any]:
    return _DECIDERS[stream.partition("-")[0]]


_DECIDERS: dict[str, Decider[Any, Any, Any]] = {"unit": UNIT, "person": PERSON, "posting": POSTING}
