"""How a ledger is done elsewhere, small: each of these must be caught by the checks that ours passes."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.event import Codec

from ledger.chain import GENESIS, stream_hash
from ledger.commit import commit
from ledger.database import driver
from ledger.entry import Append, Item, Receipt
from ledger.head import Head
from ledger.recorded import Recorded
from ledger.trouble import is_trouble


def chain_over_data(rows: Sequence[Recorded]) -> dict[object, bytes]:
    """The hashes of a chain over what the events say, and not over who said it, when and about whom; by position."""
    hashes: dict[object, bytes] = {}
    before = GENESIS
    for row in rows:
        hashes[row.position] = before = hashlib.sha256(before + row.data).digest()
    return hashes


def chain_of_streams(rows: Sequence[Recorded]) -> dict[object, bytes]:
    """The hashes of a chain along each stream, with none along the table; by stream and version."""
    hashes: dict[object, bytes] = {}
    for row in rows:
        hashes[row.stream, row.version] = stream_hash(
            hashes.get((row.stream, row.version - 1), GENESIS),
            stream=row.stream,
            version=row.version,
            name=row.name,
            schema=row.schema,
            data=row.data,
            id=row.id.bytes,
            cause=row.cause,
            by=row.by,
            at=row.at,
        )
    return hashes


def stands(kept: Mapping[object, bytes], computed: Mapping[object, bytes]) -> bool:
    """What such a ledger can verify: that the rows which are there have the hashes that were kept beside them."""
    return all(kept.get(key) == found for key, found in computed.items())


async def alone(engine: AsyncEngine, item: Item) -> Receipt | Exception:
    """Commits one command in a transaction of its own; a connection that failed is given up."""
    async with engine.connect() as connection:
        try:
            (result,) = await commit(await driver(connection), [item], head=Head())
        except Exception:
            await connection.invalidate()
            raise
    return result


class BlindRetry:
    """Appends each command in a transaction of its own, and does it again when the connection breaks."""

    def __init__(self, engine: AsyncEngine, codec: Codec) -> None:
        self._engine, self._codec = engine, codec

    async def append(self, append: Append) -> Receipt:
        while True:
            encoded = [(s, e.event_name, e.event_version, self._codec.encode(e), uuid4()) for s, e in append.events]
            item = Item(append, encoded, asyncio.get_running_loop().create_future(), "")
            try:
                result = await alone(self._engine, item)
            except Exception as error:
                if not is_trouble(error):
                    raise
                continue
            if isinstance(result, Exception):
                raise result
            return result


async def make_identity(engine: AsyncEngine) -> None:
    """A ledger whose positions a column counts by itself."""
    async with engine.begin() as connection:
        await connection.execute(
            text("CREATE TABLE counted (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text)")
        )
        await connection.execute(text("CREATE TABLE answered (key text)"))


async def append_by_identity(engine: AsyncEngine, count: int) -> None:
    """Appends so many events, each in a transaction of its own, with an answer to remember; some take longer than others."""
    for number in range(count):
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO counted (stream) VALUES ('t')"))
            await asyncio.sleep(number % 5 * 0.003)
            await connection.execute(text("INSERT INTO answered VALUES ('k')"))


async def follow_identity(engine: AsyncEngine) -> AsyncIterator[list[int]]:
    """Reads along from the last position that it saw."""
    after = 0
    while True:
        async with engine.connect() as connection:
            found = await connection.execute(
                text("SELECT position FROM counted WHERE position > :after ORDER BY position LIMIT 50"),
                {"after": after},
            )
            portion = [row.position for row in found]
        if portion:
            after = portion[-1]
            yield portion
        else:
            await asyncio.sleep(0.001)


class WriteBehind:
    """Answers at once, and writes behind; what cannot be written is logged, and that is that."""

    def __init__(self, engine: AsyncEngine, codec: Codec) -> None:
        self._engine, self._codec = engine, codec
        self._queue: asyncio.Queue[Item] = asyncio.Queue(10)
        self._position = 0
        self.failed = 0

    async def __aenter__(self) -> "WriteBehind":
        self._task = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._queue.join()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def append(self, append: Append) -> Receipt:
        encoded = [(s, e.event_name, e.event_version, self._codec.encode(e), uuid4()) for s, e in append.events]
        await self._queue.put(Item(append, encoded, asyncio.get_running_loop().create_future(), ""))
        self._position += len(encoded)
        return Receipt(self._position, b"", {})

    async def _write(self) -> None:
        while True:
            item = await self._queue.get()
            try:
                await alone(self._engine, item)
            except Exception:
                self.failed += 1
            finally:
                self._queue.task_done()
