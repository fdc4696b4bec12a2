"""Those who give the commands: they insist until they are answered, and may say the same several times at once."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx

from command.chaos.verdict import Fact
from command.chaos.words import Command

AGAIN = (429, 502, 503, 504)
"""Answers that say nothing of the command: the same key may be sent again."""
ANSWER_SECONDS = 40.0
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = (0.05, 0.5)


@dataclass(frozen=True, slots=True)
class Answered:
    """A command that was acknowledged: what was said, when (monotonic), and how long that took from the first attempt."""

    command: Command
    said: dict[str, Any]
    at: float
    seconds: float

    @property
    def facts(self) -> list[Fact]:
        """The events that were promised."""
        last, count = int(self.said["version"]), len(self.command.names)
        return [(self.command.stream, version) for version in range(last - count + 1, last + 1)]


@dataclass
class Clerks:
    """``copies``: each command is sent so many times at once, at most, under one key. ``foreign``: of so many (0 to 1)
    the key is used once more, for another command. ``pause``: seconds from a command to the next. Mistakes of the installation are collected: ``refused`` commands,
    ``contradicted`` ones (two answers under one key), ``overwritten`` keys (the other command was not answered 422)."""

    http: httpx.AsyncClient
    draw: random.Random
    copies: int = 1
    foreign: float = 0.0
    stranger: Command | None = None
    pause: float = 0.0
    patience: float = PATIENCE_SECONDS
    answered: list[Answered] = field(default_factory=list)
    unanswered: list[Command] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)
    foreign_refused: int = 0
    requests: int = 0
    repeated: int = 0
    _until: float = float("inf")
    _stopped: bool = False
    _going: asyncio.Event = field(default_factory=asyncio.Event)

    def until(self, answered: float) -> None:
        """Go on until so many are answered, and then wait to be told again."""
        self._until = answered
        self._going.set()

    def stop(self) -> None:
        """Let everybody finish the command at hand, and give no other."""
        self._stopped = True
        self._going.set()

    @property
    def position(self) -> int:
        """How far the registry's ledger reaches by the answers."""
        return max((int(one.said["position"]) for one in self.answered), default=0)

    @property
    def promised(self) -> list[Fact]:
        """All events that were."""
        return [fact for one in self.answered for fact in one.facts]

    @property
    def unsure(self) -> list[Fact]:
        """Events that may have been recorded without anybody having been told."""
        reached = dict[str, int]()
        for one in self.answered:
            reached[one.command.stream] = max(reached.get(one.command.stream, 0), int(one.said["version"]))
        found = []
        for command in self.unanswered:
            last = reached.get(command.stream, 0)
            found += [(command.stream, last + n) for n in range(1, len(command.names) + 1)]
        return found

    async def work(self, commands: Sequence[Command]) -> None:
        """Give these one after another; the rest of them is left when one was not taken."""
        for command in commands:
            await self._going.wait()
            if self._stopped or not await self.give(command):
                return
            await asyncio.sleep(self.pause)

    async def give(self, command: Command) -> bool:
        """Whether it was acknowledged."""
        key, began, copies = str(uuid.uuid4()), monotonic(), self.draw.randint(1, self.copies)
        self.repeated += copies - 1
        answers = await asyncio.gather(*(self._insist(command, key, began + self.patience) for _ in range(copies)))
        taken = [answer for answer in answers if answer is not None]
        if not taken:
            self.unanswered.append(command)
            return False
        if len({answer.content for answer in taken}) > 1:
            self.contradicted.append(command.path)
        self.answered.append(Answered(command, taken[0].json(), monotonic(), monotonic() - began))
        if len(self.answered) >= self._until:
            self._going.clear()
        if self.stranger is not None and self.draw.random() < self.foreign:
            await self._use_key_again(key)
        return True

    async def _insist(self, command: Command, key: str, until: float) -> httpx.Response | None:
        pause = PAUSE_SECONDS[0]
        while True:
            answer = await self._send(command, key)
            if answer is not None and answer.status_code in (200, 201):
                return answer
            if answer is not None and answer.status_code not in AGAIN:
                self.refused.append(f"{command.path}: {_told(answer)}")
                return None
            if monotonic() > until:
                return None
            self.repeated += 1
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_SECONDS[1])

    async def _use_key_again(self, key: str) -> None:
        assert self.stranger is not None
        until = monotonic() + self.patience
        while monotonic() < until:
            answer = await self._send(self.stranger, key)
            if answer is None or answer.status_code in AGAIN:
                await asyncio.sleep(PAUSE_SECONDS[1])
            elif (answer.status_code, _told(answer)) == (422, "422 idempotency-key-reused"):
                self.foreign_refused += 1
                return
            else:
                self.overwritten.append(_told(answer))
                return

    async def _send(self, command: Command, key: str) -> httpx.Response | None:
        """The answer; None where nobody gave one."""
        self.requests += 1
        try:
            return await self.http.post(command.path, json=command.body, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            return None


def _told(answer: httpx.Response) -> str:
    try:
        return f"{answer.status_code} {answer.json()['code']}"
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)
