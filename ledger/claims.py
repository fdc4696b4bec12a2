"""A claim holds what only one stream may hold: an identity number for ever, a person for a span of days.

A rule across streams cannot be kept by the version of any one of them; so it is a row, written in the same transaction
as the events, and an exclusion constraint stands behind it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import asyncpg


@dataclass(frozen=True, slots=True)
class Claim:
    """``stream`` claims ``key`` among all claims of ``kind``, from ``first`` to ``last`` (both included; None: without
    end). Two claims of other streams on one key may overlap only where both are ``shared``. Never put anything
    personal into a key: use a keyed HMAC."""

    kind: str
    key: str
    stream: str
    first: date | None = None
    last: date | None = None
    shared: bool = False

    def overlaps(self, other: "Claim") -> bool:
        """Whether the two cannot stand together."""
        return (
            self.stream != other.stream
            and (self.kind, self.key) == (other.kind, other.key)
            and not (self.shared and other.shared)
            and (self.last is None or other.first is None or other.first <= self.last)
            and (other.last is None or self.first is None or self.first <= other.last)
        )


class ClaimTaken(Exception):
    """Another stream holds what was claimed."""

    def __init__(self, kind: str, key: str, holder: str) -> None:
        super().__init__(f"{kind} is held by {holder}")
        self.kind, self.key, self.holder = kind, key, holder


class Held:
    """The claims that matter to one group of appends: those in the table, changed as the group goes along."""

    def __init__(self, standing: Iterable[Claim]) -> None:
        self._by_key: dict[tuple[str, str], set[Claim]] = {}
        self._by_stream: dict[tuple[str, str], set[Claim]] = {}
        for claim in standing:
            self._hold(claim)
        # By kind and stream: of whom the table's claims go, and what everybody holds now who held or claimed anything.
        self.dropped: set[tuple[str, str]] = set()
        self.taken: dict[tuple[str, str], list[Claim]] = {}

    def _hold(self, claim: Claim) -> None:
        self._by_key.setdefault((claim.kind, claim.key), set()).add(claim)
        self._by_stream.setdefault((claim.kind, claim.stream), set()).add(claim)

    def refuse(self, wanted: Iterable[Claim]) -> ClaimTaken | None:
        """What stands against ``wanted``, or None."""
        for claim in wanted:
            for other in self._by_key.get((claim.kind, claim.key), ()):
                if claim.overlaps(other):
                    return ClaimTaken(claim.kind, claim.key, other.stream)
        return None

    def replace(self, wanted: Iterable[Claim], release: Iterable[tuple[str, str]]) -> None:
        """Let each stream hold ``wanted`` in place of all that it held of those kinds, and nothing of ``release``."""
        wanted = list(wanted)
        for kind_and_stream in {*((c.kind, c.stream) for c in wanted), *release}:
            held = self._by_stream.pop(kind_and_stream, None)
            if held:  # most commands give up what they never had: no exchange with the server for that
                for old in held:
                    self._by_key[old.kind, old.key].discard(old)
                self.dropped.add(kind_and_stream)
            self.taken[kind_and_stream] = [c for c in wanted if (c.kind, c.stream) == kind_and_stream]
        for claim in wanted:
            self._hold(claim)

    def rows(self) -> list[tuple[Any, ...]]:
        """What is to be written: kind, key, stream, first, last, slot."""
        return [(c.kind, c.key, c.stream, c.first, c.last, _slot(c)) for claims in self.taken.values() for c in claims]


# Row by row along the indexes of keys and of streams. Asked in one breath, PostgreSQL walks through the whole table for
# every group: 3 ms at 30,000 claims, and more with each. For a key it likes the constraint's index best, which takes 33 us
# where the other takes 4; but that one can be asked for ANY by way of a bitmap only.
_STANDING = """
SELECT kind, key, stream, lower(during), upper(during), NOT upper_inf(slot) FROM (
  SELECT c.* FROM unnest($1::text[], $2::text[]) AS w (kind, key)
   CROSS JOIN LATERAL (SELECT * FROM claims WHERE kind = w.kind AND key = ANY(ARRAY[w.key]) OFFSET 0) c
  UNION
  SELECT c.* FROM unnest($3::text[]) AS w (stream)
   CROSS JOIN LATERAL (SELECT * FROM claims WHERE stream = w.stream OFFSET 0) c) standing
"""


async def load(connection: asyncpg.Connection, wanted: list[Claim]) -> list[Claim]:
    """The standing claims that ``wanted`` could meet or replace."""
    kinds, keys, streams = zip(*((claim.kind, claim.key, claim.stream) for claim in wanted), strict=True)
    return [
        Claim(kind, key, stream, first, None if after is None else after - timedelta(days=1), shared)
        for kind, key, stream, first, after, shared in await connection.fetch(_STANDING, kinds, keys, streams)
    ]


_DROP = """
DELETE FROM claims USING unnest($1::text[], $2::text[]) AS gone(kind, stream)
 WHERE claims.kind = gone.kind AND claims.stream = gone.stream
"""


def _slot(claim: Claim) -> int | None:
    """Shared claims stand on a point of their own, all others on the whole line, so that one constraint keeps both
    rules. Two streams on one point would wrongly exclude each other: with 62 bits that does not happen."""
    if not claim.shared:
        return None
    return int.from_bytes(hashlib.sha256(claim.stream.encode()).digest()[:8], "big") >> 2


async def drop(connection: asyncpg.Connection, held: Held) -> None:
    """Delete the claims that the group gave up or holds anew."""
    if held.dropped:
        await connection.execute(_DROP, *zip(*sorted(held.dropped), strict=True))
