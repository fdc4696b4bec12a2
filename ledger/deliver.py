"""Apply batches of records to a handler's database: each record once, in order, or parked; all in one transaction.

The watermark rows are locked and compared first. A reader that was left behind in a rebalance finds them moved, and
writes nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xiapai_contracts.event import Codec
from xiapai_contracts.topic import Topic

from ledger import deadletters, tracing, watermark
from ledger.database import transaction
from ledger.entry import Unavailable, VersionConflict
from ledger.fetched import Fetched
from ledger.kafka import Partition
from ledger.reason import reason_of
from ledger.sift import BEHIND, Delivered, Letter, letter, sift
from ledger.trouble import is_trouble
from ledger.watermark import Watermark

__all__ = [
    "Batch",
    "Delivered",
    "Fenced",
    "Handler",
    "Outcome",
    "Prepared",
    "StillConflicting",
    "apply",
    "deliver",
    "halves",
    "prepare",
]

log = logging.getLogger(__name__)

CONFLICT_ATTEMPTS = 5
HALVED_FROM = 400


@dataclass(frozen=True, slots=True)
class Handler:
    """Who reads: ``name`` (stable: its watermarks and consumer group hang on it), the topics, and what is done.

    ``apply`` writes through the given connection and through nothing else, and keeps nothing between calls: its
    transaction may be rolled back and the events come again, fewer at a time. An exception parks the events that cause
    it.
    """

    name: str
    topics: tuple[Topic, ...]
    apply: Callable[[AsyncConnection, Sequence[Delivered]], Awaitable[None]]


@dataclass(slots=True)
class Batch:
    """The records of one partition, read by someone who believes that the watermark is ``held``."""

    topic: Topic
    held: Watermark
    records: Sequence[Fetched]
    scanning: bool = False


@dataclass(slots=True)
class Outcome:
    """The watermarks now, the partitions in which events are missing, and how many records were what."""

    marks: dict[Partition, Watermark] = field(default_factory=dict)
    gaps: set[Partition] = field(default_factory=set)
    applied: int = 0
    parked: int = 0
    unreadable: int = 0


class Fenced(Exception):
    """Another reader has moved a watermark since: nothing was written. Load it and read from there."""


class StillConflicting(Exception):
    """One event alone conflicts with other writers again and again: try the batch again later."""


@dataclass(slots=True)
class Prepared:
    """Batches that were sifted, not yet applied. ``outcome`` is what comes of them where every event can be applied."""

    batches: Mapping[Partition, Batch]
    outcome: Outcome = field(default_factory=Outcome)
    events: list[Delivered] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)


def halves(batches: Mapping[Partition, Batch]) -> list[Mapping[Partition, Batch]]:
    """A large batch in two that are delivered at once, while one of which the client computes and the other waits for the
    server; a small one, or one of a single partition, as it is. What bears one number stays together in all topics: there
    lie a stream's records, also where two topics speak of it."""
    records: dict[int, int] = {}
    for (_, number), batch in batches.items():
        records[number] = records.get(number, 0) + len(batch.records)
    if len(records) < 2 or sum(records.values()) < HALVED_FROM:
        return [batches] if batches else []
    first: set[int] = set()
    ahead = 0
    for number, count in sorted(records.items(), key=lambda item: -item[1]):
        if ahead <= 0:
            first.add(number)
        ahead += count if number in first else -count
    parts = [{at: batch for at, batch in batches.items() if (at[1] in first) is one} for one in (True, False)]
    return [part for part in parts if part]


def prepare(codec: Codec, batches: Mapping[Partition, Batch]) -> Prepared:
    """Sift the batches. Pure: nothing is read or written."""
    prepared = Prepared(batches)
    outcome = prepared.outcome
    for partition, batch in batches.items():
        sifted = sift(batch.topic, partition[1], batch.held, batch.records, codec, scanning=batch.scanning)
        outcome.marks[partition] = sifted.mark
        outcome.unreadable += sifted.unreadable
        if sifted.gap:
            outcome.gaps.add(partition)
        prepared.events += sifted.events
        prepared.letters += sifted.letters
    return prepared


async def deliver(engine: AsyncEngine, handler: Handler, codec: Codec, batches: Mapping[Partition, Batch]) -> Outcome:
    """Prepare the batches and apply them: see :func:`apply`."""
    return await apply(engine, handler, prepare(codec, batches))


async def apply(engine: AsyncEngine, handler: Handler, prepared: Prepared) -> Outcome:
    """Apply what is new, once; it may be tried again with the same.

    Raises:
        Fenced: see there.
        StillConflicting: see there.
        DBAPIError, OSError: the database is away (:func:`ledger.trouble.is_trouble`); what was not committed comes
            again. After a commit of unknown outcome the next call raises Fenced, which is right as well.
    """
    marks = prepared.outcome.marks
    changed = {partition: mark for partition, mark in marks.items() if mark != prepared.batches[partition].held}
    if not changed and not prepared.letters:
        return prepared.outcome
    try:
        return await _write(engine, handler, prepared, changed, _all_at_once)
    except Exception as error:
        if isinstance(error, (Fenced, Unavailable)) or is_trouble(error):
            raise
    # Savepoints are two round trips of about eight: only for a batch in which something was seen to fail.
    return await _write(engine, handler, prepared, changed, _by_halves)


Applying = Callable[[AsyncConnection, Handler, Sequence[Delivered]], Awaitable[list[Letter]]]


def _parts(handler: Handler, events: Iterable[Delivered]) -> dict[tuple[str, int, int], tracing.Part]:
    """A span of each event, begun in its trace; what follows from the event goes on from there."""
    parts = {}
    for one in events:
        attributes: tracing.Attributes = {
            "messaging.system": "kafka",
            "messaging.destination.name": one.topic,
            "messaging.destination.partition.id": str(one.partition),
            "xiapai.handler": handler.name,
            "xiapai.event": one.meta.type,
            "xiapai.position": one.meta.position,
        }
        made = tracing.part(f"deliver {handler.name}", one.meta.traceparent, "consumer", attributes)
        parts[one.topic, one.partition, one.offset] = made
        one.traceparent = made.traceparent
    return parts


async def _write(
    engine: AsyncEngine, handler: Handler, prepared: Prepared, changed: dict[Partition, Watermark], applying: Applying
) -> Outcome:
    parts = _parts(handler, prepared.events) if tracing.exporting() else {}
    with tracing.together("deliver batch", list(parts.values()), {"xiapai.handler": handler.name}):
        outcome, letters = await _written(engine, handler, prepared, changed, applying)
        for one in letters:
            if (part := parts.get((one.topic, one.partition, one.offset))) is not None:
                part.failed = True
    for one in letters:
        if one.reason != BEHIND:
            log.error(
                "%s: parked %s %s/%s offset %s: %s",
                handler.name,
                one.stream or "an unreadable record",
                one.topic,
                one.partition,
                one.offset,
                one.reason,
            )
    return outcome


async def _written(
    engine: AsyncEngine, handler: Handler, prepared: Prepared, changed: dict[Partition, Watermark], applying: Applying
) -> tuple[Outcome, list[Letter]]:
    batches, outcome, letters = prepared.batches, prepared.outcome, list(prepared.letters)
    streams = {one.meta.stream for one in prepared.events}
    # No wait for the disk: what a crash of the server takes back, it takes back with its watermark, and so it comes again.
    async with transaction(engine, "synchronous_commit = off") as connection:
        there = await watermark.take(connection, handler.name, batches)
        if any(there.get(partition) != batch.held for partition, batch in batches.items()):
            raise Fenced(handler.name)
        parked = await deadletters.parked_streams(connection, handler.name, streams) if streams else set()
        ready = prepared.events
        if parked:
            ready = [one for one in ready if one.meta.stream not in parked]
            letters += [letter(one, BEHIND) for one in prepared.events if one.meta.stream in parked]
        failed = await applying(connection, handler, ready) if ready else []
        letters += failed
        # By position, so that the queue of a stream keeps its order (an undecodable event may precede in `letters`).
        letters.sort(key=lambda one: (one.topic, one.partition, one.offset))
        await deadletters.park(connection, handler.name, letters)
        await watermark.save(connection, handler.name, changed)
    outcome.parked = len(letters) - outcome.unreadable
    outcome.applied = len(ready) - len(failed)
    return outcome, letters


async def _all_at_once(connection: AsyncConnection, handler: Handler, events: Sequence[Delivered]) -> list[Letter]:
    await handler.apply(connection, events)
    return []


async def _by_halves(connection: AsyncConnection, handler: Handler, events: Sequence[Delivered]) -> list[Letter]:
    """Apply all at once; where that fails, by halves, down to the single events that fail. Those are parked, with what
    follows them in their streams."""
    letters: list[Letter] = []
    spoiled: set[str] = set()
    portions = [events]
    attempts = 0
    while portions:
        portion = [one for one in portions[-1] if one.meta.stream not in spoiled]
        letters += [letter(one, BEHIND) for one in portions[-1] if one.meta.stream in spoiled]
        portions.pop()
        if not portion:
            continue
        try:
            async with connection.begin_nested():
                await handler.apply(connection, portion)
        except Exception as error:
            if is_trouble(error) or isinstance(error, Unavailable):
                raise
            if len(portion) > 1:
                half = len(portion) // 2
                portions += [portion[half:], portion[:half]]
            elif isinstance(error, VersionConflict):
                attempts += 1
                if attempts >= CONFLICT_ATTEMPTS:
                    raise StillConflicting(handler.name) from error
                portions.append(portion)
                await asyncio.sleep(0.01 * attempts)
                continue
            else:
                spoiled.add(portion[0].meta.stream)
                letters.append(letter(portion[0], reason_of(error)))
        attempts = 0
    return letters
