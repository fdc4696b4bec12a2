"""The wire between a program and its PostgreSQL, cut at the worst moments: around COMMIT, or around a write that is a
transaction by itself."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

MOMENTS = ("before", "during", "after")
"""Before the server hears of the COMMIT (or of the write that is one); while it works on it; after it has answered, and
nobody hears the answer."""

_PREPARED_WRITE = re.compile(rb"(__asyncpg_stmt_[0-9a-f]+__)\0\s*WITH known")


class Wire:
    """Passes bytes between a client and the server of a DSN. Of the transactions that are committed through it, it cuts
    half, until there were ``most`` cuts, at one of these ``moments``; ``cuts`` counts them by their moment."""

    def __init__(self, dsn: str, most: int, seed: int, moments: Sequence[str] = MOMENTS) -> None:
        self._there, self._most, self._draw, self._moments = urlsplit(dsn), most, random.Random(seed), moments
        self._port = 0
        self.cuts: Counter[str] = Counter()

    @property
    def dsn(self) -> str:
        """The same database, by way of the wire."""
        user = self._there.netloc.rpartition("@")[0]
        return urlunsplit(self._there._replace(netloc=f"{user}@127.0.0.1:{self._port}"))

    @property
    def over(self) -> bool:
        """All cuts were made."""
        return self.cuts.total() >= self._most

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Wire"]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self._port = server.sockets[0].getsockname()[1]
            yield self

    async def _serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        server, asks = await asyncio.open_connection(self._there.hostname, self._there.port)
        deaf = asyncio.Event()

        async def ask() -> None:
            write, inside = b"COMMIT", False
            while said := await client.read(65536):
                inside = (inside or b"BEGIN" in said) and b"COMMIT" not in said
                commits = b"COMMIT" in said or (write in said and not inside)
                if prepared := _PREPARED_WRITE.search(said):
                    write, commits = prepared[1], False
                moment = self._moment() if commits else None
                if moment == "before":
                    return
                if moment == "after":
                    deaf.set()
                asks.write(said)
                await asks.drain()
                if moment == "during":
                    return

        async def answer() -> None:
            while said := await server.read(65536):
                if deaf.is_set():
                    return
                answers.write(said)
                await answers.drain()

        ways = [asyncio.ensure_future(way()) for way in (ask, answer)]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for writer in (answers, asks):
            with suppress(OSError):
                writer.close()
        await asyncio.gather(*ways, return_exceptions=True)

    def _moment(self) -> str | None:
        if self.over or self._draw.random() < 0.5:
            return None
        moment = self._draw.choice(self._moments)
        self.cuts[moment] += 1
        return moment
