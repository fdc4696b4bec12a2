"""What an installation says is there, over its API: the streams of a run, and its postings on the roster."""

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Any

import httpx

from command.chaos.clerks import AGAIN, PAUSE_SECONDS, Answered
from command.chaos.course import DAY
from command.chaos.verdict import Fact
from command.mistakes import Mistake

AT_ONCE = 8
Rows = dict[str, dict[str, Any]]


class NotSeen(Mistake):
    """Readers did not come so far in time, or the installation did not answer."""


async def ask(http: httpx.AsyncClient, path: str, until: float, **options: Any) -> httpx.Response:
    """The answer to a question, asked again while it is `not-yet-known` or nobody answers. Raises NotSeen."""
    said = "no answer"
    while monotonic() < until:
        try:
            answer = await http.get(path, **options)
        except httpx.TransportError as error:
            said = type(error).__name__
        else:
            if answer.status_code not in (409, *AGAIN):
                return answer
            said = f"HTTP {answer.status_code}"
        await asyncio.sleep(PAUSE_SECONDS[0])
    raise NotSeen(f"没有得到应答 no answer in time from {path}: {said}")


async def facts(http: httpx.AsyncClient, streams: Iterable[str], until: float) -> list[Fact]:
    """The events of these streams, as the registry counts them. Raises NotSeen."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def of(stream: str) -> list[Fact]:
        kind, _, code = stream.partition("-")
        async with gate:
            answer = await ask(http, f"/api/registry/{kind}s/{code}", until)
        if answer.status_code == 404:
            return []
        if answer.status_code != 200:
            raise NotSeen(f"{stream}: HTTP {answer.status_code}")
        return [(stream, version) for version in range(1, int(answer.json()["version"]) + 1)]

    return [fact for found in await asyncio.gather(*map(of, streams)) for fact in found]


async def roster(http: httpx.AsyncClient, unit: str, position: int, until: float) -> Rows:
    """Every posting at a unit, once readers see the registry's ledger up to ``position``. Raises NotSeen."""
    found: Rows = {}
    asked: dict[str, Any] = {"unit": unit, "status": "any", "as_of": DAY, "limit": 200}
    while True:
        answer = await ask(http, "/api/query/roster", until, params=asked, headers={"After": f"registry@{position}"})
        if answer.status_code != 200:
            raise NotSeen(f"roster: HTTP {answer.status_code}")
        said = answer.json()
        found |= {item["posting"]: item for item in said["items"]}
        if said["next"] is None:
            return found
        asked["cursor"] = said["next"]


def folded(answered: Iterable[Answered]) -> Rows:
    """The postings that the acknowledged commands make, in the order of their positions."""
    found: Rows = {}
    for one in sorted(answered, key=lambda one: int(one.said["position"])):
        if one.command.posting:
            found.setdefault(one.command.posting, {}).update(one.command.sets)
    return found


def differences(shown: Rows, expected: Rows, unsure: Iterable[str] = ()) -> list[str]:
    """The postings that are shown otherwise than expected; ``unsure`` streams may be."""
    passed_over = {stream.partition("-")[2] for stream in unsure}
    different = []
    for posting in sorted({*shown, *expected} - passed_over):
        here, due = shown.get(posting), expected.get(posting)
        if here is None or due is None or any(here[name] != value for name, value in due.items()):
            different.append(posting)
    return different
