"""One run: commands on several lanes at once, faults at random moments among them, and the account of it at the end."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import httpx

from command.chaos import course, looking
from command.chaos.clerks import Clerks
from command.chaos.verdict import Verdict, judge
from command.chaos.words import Command, unit
from ledger.ending import ended

Fault = Callable[[], Awaitable[str]]
"""Does something bad, and says in a word what."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked: ``commands`` in all, at least, on ``lanes`` at once; ``copies``, ``foreign`` and ``pause`` as
    `Clerks` has them; ``settle`` are the seconds that readers have in the end."""

    run: str
    commands: int
    lanes: int = 4
    copies: int = 1
    foreign: float = 0.0
    pause: float = 0.0
    settle: float = 120.0

    def lanes_of(self, draw: random.Random) -> list[list[Command]]:
        share = -(-max(0, self.commands - len(course.first(self.run))) // self.lanes)
        return [course.lane(draw, self.run, number, share) for number in range(self.lanes)]


@dataclass(frozen=True, slots=True)
class Account:
    """What came of it. ``differing`` are postings that readers see otherwise than they were commanded; ``settled`` is how
    many seconds after the last answer all could be seen (None: not in time)."""

    clerks: Clerks
    commands: int
    seconds: float
    faults: Counter[str]
    verdict: Verdict
    differing: Sequence[str]
    settled: float | None

    @property
    def longest_wait(self) -> float:
        return max((one.seconds for one in self.clerks.answered), default=0.0)

    @property
    def kept(self) -> bool:
        """Every promise was."""
        wrong = self.clerks.refused or self.clerks.contradicted or self.clerks.overwritten or self.differing
        return self.verdict.kept and not wrong and self.settled is not None

    @property
    def complete(self) -> bool:
        """Every command was answered."""
        return len(self.clerks.answered) == self.commands


class Storm:
    """A run under way: ``clerks`` and what ``happened`` may be looked at for progress."""

    def __init__(self, http: httpx.AsyncClient, plan: Plan, draw: random.Random, faults: Sequence[Fault] = ()) -> None:
        self.plan, self.faults, self._draw = plan, faults, draw
        self._stranger = unit(f"{plan.run}-STRANGER")
        self.clerks = Clerks(http, draw, plan.copies, plan.foreign, self._stranger, plan.pause)
        self.happened = Counter[str]()
        self.seconds = 0.0
        self._first, self._lanes = course.first(plan.run), plan.lanes_of(draw)

    @property
    def commands(self) -> list[Command]:
        return [*self._first, *(command for lane in self._lanes for command in lane)]

    async def rage(self) -> None:
        """Give all commands while faults happen."""
        began = monotonic()
        self.clerks.until(float("inf"))
        await self.clerks.work(self._first)
        working = asyncio.gather(*(self.clerks.work(lane) for lane in self._lanes))
        disturbing = asyncio.ensure_future(self._disturb(working))
        try:
            await asyncio.gather(disturbing, working)
        finally:
            await ended([working, disturbing])
        self.seconds = monotonic() - began

    async def _disturb(self, working: "asyncio.Future[list[None]]") -> None:
        """Each fault after a random number of answers. The clerks wait for one that takes long before they come to the
        next, so that all happen among commands."""
        share = len(self.commands) * 0.9 / max(1, len(self.faults))
        moments = [round((number + self._draw.random()) * share) for number in range(len(self.faults))]
        for fault, moment, next_ in zip(self.faults, moments, [*moments, len(self.commands)][1:], strict=True):
            self.clerks.until(max(next_, moment + self.plan.lanes))
            while len(self.clerks.answered) < moment and not working.done():
                await asyncio.wait({working}, timeout=0.01)
            if working.done():
                return
            self.happened[await fault()] += 1
        self.clerks.until(float("inf"))

    async def account(self) -> Account:
        """Hold what is there, and what readers see, against what was answered. Raises NotSeen where nobody answers."""
        clerks, ended = self.clerks, monotonic()
        until, settled = ended + self.plan.settle, None
        unsure, differing = clerks.unsure, list[str]()
        try:
            shown = await looking.roster(clerks.http, course.bureau(self.plan.run), clerks.position, until)
            settled = monotonic() - ended
            differing = looking.differences(shown, looking.folded(clerks.answered), (stream for stream, _ in unsure))
        except looking.NotSeen:
            pass
        asked = [self._stranger, *clerks.unanswered, *(one.command for one in clerks.answered)]
        streams = {command.stream for command in asked}
        found = await looking.facts(clerks.http, sorted(streams), monotonic() + self.plan.settle)
        verdict = judge(clerks.promised, found, unsure)
        return Account(clerks, len(self.commands), self.seconds, self.happened, verdict, differing, settled)
