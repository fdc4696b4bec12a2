"""Decide a command against what it read, and record it: read, decide, append, and again if the world moved on."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.event import Codec

from ledger.append import Append, Appender, ClaimTaken, KeyReused, Receipt, Request, VersionConflict
from ledger.claims import Claim
from ledger.decider import Decider, Refused
from ledger.schema import requests
from ledger.streams import Streams
from ledger.tracing import step

S = TypeVar("S")
ATTEMPTS = 10


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a command comes to, see :class:`ledger.append.Append`. No events: it is already so."""

    events: Sequence[tuple[str, Any]] = ()
    answer: bytes = b""
    claims: Sequence[Claim] = ()
    release: Sequence[tuple[str, str]] = ()
    keys: Mapping[str, bytes | None] = {}


class Reading:
    """What a plan reads through. Every stream that it reads becomes an expected version of its append."""

    def __init__(self, desk: "Desk", fresh: bool) -> None:
        self._desk, self._fresh = desk, fresh
        self.read: dict[str, tuple[Decider[Any, Any, Any], int, Any]] = {}
        self.remembered = False

    async def state(self, decider: Decider[Any, S, Any], stream: str, *, new: bool = False) -> S:
        """The stream's state now. Reading a stream twice in one plan gives the same. ``new``: the plan is to create it, so
        where nothing is remembered of it, it counts as empty without a question; if it is not, the append finds out and
        the plan is run again."""
        if stream not in self.read:
            known = None if self._fresh else self._desk.known(decider, stream)
            if known is None and new and not self._fresh:
                known = 0, decider.initial
            self.remembered |= known is not None
            version, state = known or await self._desk.look(decider, stream)
            self.read[stream] = (decider, version, state)
        state_now: S = self.read[stream][2]
        return state_now

    @property
    def expected(self) -> dict[str, int]:
        """Stream and version of all that was read."""
        return {stream: version for stream, (_, version, _) in self.read.items()}


PlanMaker = Callable[[Reading], Awaitable[Plan]]


class Desk:
    """Where a service's commands are decided: its ledger's reader, its appender, and the states it remembers.

    A remembered state may be behind, since other processes append too. That does no harm to what is recorded (the
    append compares versions), and a refusal that rests on a remembered state is decided once more on a fresh one.
    """

    def __init__(self, engine: AsyncEngine, appender: Appender, codec: Codec, *, remember: int = 50_000) -> None:
        self.engine, self.appender, self.codec = engine, appender, codec
        self._streams = Streams(engine)
        self._remember = remember
        self._states: OrderedDict[str, tuple[Decider[Any, Any, Any], int, Any]] = OrderedDict()

    async def record(
        self,
        plan: PlanMaker,
        *,
        by: str,
        at: datetime,
        request: Request | None = None,
        cause: str = "",
    ) -> Receipt:
        """Run ``plan`` and record what it comes to, as a part of the work under way (:mod:`ledger.tracing`).

        Raises:
            Refused: the rules say no; where the request was answered before, its first answer is returned instead.
            ClaimTaken: likewise.
            KeyReused, Unavailable: see :meth:`ledger.append.Appender.append`.
            VersionConflict: the world moved on at each of several attempts.
        """
        fresh = False
        for attempt in range(1, ATTEMPTS + 1):
            reading = Reading(self, fresh)
            try:
                with step("decide"):
                    made = await plan(reading)
                receipt = await self.appender.append(
                    Append(
                        by=by,
                        at=at,
                        events=made.events,
                        expected=reading.expected,
                        request=request,
                        answer=made.answer,
                        cause=cause,
                        claims=made.claims,
                        release=made.release,
                        keys=made.keys,
                    )
                )
            except VersionConflict:
                if attempt == ATTEMPTS:
                    raise
                fresh = True
                continue
            except (Refused, ClaimTaken):
                if reading.remembered:
                    fresh = True
                    continue
                earlier = await self.answered(request)
                if earlier is None:
                    raise
                return earlier
            if not receipt.repeated:
                self._advance(made, reading, receipt)
            return receipt
        raise AssertionError("every attempt returns, raises or is followed by another")

    async def answered(self, request: Request | None) -> Receipt | None:
        """The answer that a request was given before, or None.

        Raises:
            KeyReused: it was another body.
        """
        if request is None:
            return None
        async with self.engine.connect() as connection:
            found = await connection.execute(
                select(requests.c.digest, requests.c.position, requests.c.answer).where(
                    requests.c.principal == request.principal, requests.c.key == request.key
                )
            )
            row = found.one_or_none()
        if row is None:
            return None
        if row.digest != request.digest:
            raise KeyReused(request.key)
        return Receipt(row.position, row.answer, {}, repeated=True)

    def known(self, decider: Decider[Any, S, Any], stream: str) -> tuple[int, S] | None:
        """Version and state as remembered, or None."""
        kept = self._states.get(stream)
        return (kept[1], kept[2]) if kept is not None and kept[0] is decider else None

    async def look(self, decider: Decider[Any, S, Any], stream: str) -> tuple[int, S]:
        """Version and state of a stream as the ledger has it now."""
        return (await self._fold(decider, [stream]))[stream]

    async def preload(self, decider: Decider[Any, Any, Any], streams: Collection[str]) -> None:
        """Remember the states of many streams with one question, before plans read them one by one."""
        await self._fold(decider, [stream for stream in streams if self.known(decider, stream) is None])

    async def _fold(self, decider: Decider[Any, S, Any], streams: Collection[str]) -> dict[str, tuple[int, S]]:
        states: dict[str, tuple[int, S]] = dict.fromkeys(streams, (0, decider.initial))
        found = await self._streams.read(streams) if streams else {}
        for stream, rows in found.items():
            events = [self.codec.decode(row.name, row.schema, row.data) for row in rows]
            states[stream] = (rows[-1].version, decider.fold(events, decider.initial))
        for stream, (version, state) in states.items():
            self._keep(decider, stream, version, state)
        return states

    def _advance(self, made: Plan, reading: Reading, receipt: Receipt) -> None:
        news: dict[str, list[Any]] = {}
        for stream, event in made.events:
            news.setdefault(stream, []).append(event)
        for stream, events in news.items():
            decider, version, state = reading.read.get(stream, (None, 0, None))
            if decider is not None and receipt.versions.get(stream) == version + len(events):
                self._keep(decider, stream, version + len(events), decider.fold(events, state))
            else:
                self._states.pop(stream, None)

    def _keep(self, decider: Decider[Any, Any, Any], stream: str, version: int, state: Any) -> None:
        self._states[stream] = (decider, version, state)
        self._states.move_to_end(stream)
        if len(self._states) > self._remember:
            self._states.popitem(last=False)
