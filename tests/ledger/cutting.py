"""A way to the database that breaks at the worst moment: the server has committed, and the client never hears of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import make_url


@dataclass
class Cutting:
    """``dsn`` leads through here. ``commits`` counts those that passed, ``cut`` those whose answer was kept back."""

    dsn: str
    cut_when: Callable[[int], bool]
    commits: int = 0
    cut: int = 0

    def cuts(self, said: bytes) -> bool:
        """Whether this is a COMMIT after which the line breaks."""
        # A simple query: its type, its length, its text.
        if not (said.startswith(b"Q") and said[5:].startswith(b"COMMIT")):
            return False
        self.commits += 1
        if not self.cut_when(self.commits):
            return False
        self.cut += 1
        return True


@asynccontextmanager
async def cutting(dsn: str, cut_when: Callable[[int], bool]) -> AsyncIterator[Cutting]:
    """Cuts the line at the commits, counted from 1, for which ``cut_when`` holds."""
    url = make_url(dsn)

    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(url.host, url.port)
        answers = asyncio.create_task(_pass(server, to_client))
        try:
            while said := await client.read(65536):
                if made.cuts(said):
                    answers.cancel()
                    await asyncio.gather(answers, return_exceptions=True)
                    to_server.write(said)
                    await server.read(65536)  # its answer: the commit has taken effect
                    return
                to_server.write(said)
        finally:
            answers.cancel()
            for writer in (to_client, to_server):
                writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    made = Cutting(url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False), cut_when)
    try:
        yield made
    finally:
        listening.close()


async def _pass(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while said := await source.read(65536):
            to.write(said)
