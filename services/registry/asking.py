"""How a request becomes a recorded command: who asks, what they have seen, and the answer that a retry gets again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec
from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.clock import Clock
from chassis.described import AFTER, IDEMPOTENCY_KEY, reads
from chassis.http import after, idempotency_key, receipt
from chassis.identity.access import require
from chassis.identity.principal import Principal
from chassis.problems import Conflict, NotFound
from ledger.append import ClaimTaken
from ledger.append import Request as Asked_
from ledger.command import Desk, Plan, PlanMaker, Reading
from ledger.reader import head
from services.registry.access import May, OutOfScope
from services.registry.commands.context import Asked, Context

_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Registry:
    """What the routes work with, at ``app.state.registry``."""

    engine: AsyncEngine
    desk: Desk
    clock: Clock
    context: Context


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a command came to: the stream, the code it is known by, the stream's version and the ledger's position."""

    stream: str
    code: str
    version: int
    position: int


@dataclass(frozen=True, slots=True)
class Asking:
    """One command under way."""

    registry: Registry
    request: Request
    response: Response
    asked: Asked

    @property
    def context(self) -> Context:
        return self.registry.context

    async def record(self, stream: str, code: str, plan: PlanMaker) -> Recorded:
        """Decide and record; the same request gets the same answer. NotFound (404) for what is out of one's scope."""

        async def answered(reading: Reading) -> Plan:
            made = await plan(reading)
            version = reading.expected.get(stream, 0) + sum(one == stream for one, _ in made.events)
            return msgspec.structs.replace(
                made, answer=msgspec.json.encode({"stream": stream, "code": code, "version": version})
            )

        try:
            done = await self.registry.desk.record(
                answered,
                by=self.asked.who.subject,
                at=self.registry.clock.now(),
                request=Asked_(self.asked.who.subject, self.asked.key, await self._digest()),
            )
        except OutOfScope:
            raise NotFound("not-found") from None
        except ClaimTaken as taken:
            holder = taken.holder.partition("-")[2]
            raise Conflict(f"{taken.kind}-taken", holder=holder) from None
        receipt(self.response, "registry", done.position)
        return Recorded(**msgspec.json.decode(done.answer), position=done.position)

    async def _digest(self) -> bytes:
        """Keyed, since the body is personal."""
        said = f"{self.request.method} {self.request.scope['path']}\n" + (await self.request.body()).decode("latin-1")
        return self.context.keyring.kek.blind("request", said).encode("ascii")


def asks(may: May) -> Callable[..., Awaitable[Asking]]:
    """A dependency of a command's route: 401, 403 for other roles, 400 without key, 409 ``not-yet-known``."""
    allowed = require(*may)

    @reads(IDEMPOTENCY_KEY, AFTER)
    async def asking(request: Request, response: Response) -> Asking:
        who, key = await allowed(request), idempotency_key(request)
        registry: Registry = request.app.state.registry
        await seen(registry, after(request))
        return Asking(registry, request, response, Asked(who, key))

    return asking


@dataclass(frozen=True, slots=True)
class Looking:
    """A question about one thing, answered from its stream."""

    registry: Registry
    who: Principal

    def reading(self) -> Reading:
        """The streams as the ledger has them now."""
        return Reading(self.registry.desk, fresh=True)


def looks(may: May) -> Callable[..., Awaitable[Looking]]:
    """A dependency of a question's route."""
    allowed = require(*may)

    @reads(AFTER)
    async def looking(request: Request) -> Looking:
        who = await allowed(request)
        registry: Registry = request.app.state.registry
        await seen(registry, after(request))
        return Looking(registry, who)

    return looking


async def seen(registry: Registry, positions: Mapping[str, int]) -> None:
    """Wait, for a short while, until this ledger reaches what the caller has seen of it; what they have seen of other
    ledgers never changes what the registry decides. Conflict (409) ``not-yet-known``."""
    wanted = positions.get("registry", 0)
    for attempt in range(10):
        if attempt:
            await asyncio.sleep(_PATIENCE_SECONDS / 10)
        if wanted == 0:
            return
        async with registry.engine.connect() as connection:
            if await head(connection) >= wanted:
                return
    raise Conflict("not-yet-known", after=f"registry@{wanted}", headers={"Retry-After": "1"})
