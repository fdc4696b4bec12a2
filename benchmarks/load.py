"""A small load generator: keep-alive connections, each one request after another, at once or at a given pace.

It costs about 50 µs of CPU a request, a tenth of what a general client takes, since on two cores the client's share is
taken from the server.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from benchmarks.rows import percentile


@dataclass(slots=True)
class Load:
    """What the requests came to; ``times`` in seconds each."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    def ms(self, part: float) -> float:
        """A percentile in milliseconds."""
        return percentile(self.times, part) * 1000


def get(path: str, token: str = "") -> bytes:
    """A GET request's bytes."""
    shown = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{shown}\r\n".encode()


def post(path: str, body: bytes, token: str = "", key: str = "") -> bytes:
    """A POST request's bytes, JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        + (f"Authorization: Bearer {token}\r\n" if token else "")
        + (f"Idempotency-Key: {key}\r\n" if key else "")
        + "\r\n"
    )
    return head.encode() + body


async def load(
    port: int, request: Callable[[], bytes], *, connections: int, seconds: float, pace: float | None = None
) -> Load:
    """Send for so long; ``pace`` is the requests in a second of all connections together.

    Raises:
        RuntimeError: an answer was no success.
    """
    result = Load()
    began = monotonic()
    ends = began + seconds
    gap = None if pace is None else connections / pace
    await asyncio.gather(*(_one(port, request, ends, gap, n / connections, result) for n in range(connections)))
    result.seconds = monotonic() - began
    return result


async def _one(
    port: int, request: Callable[[], bytes], ends: float, gap: float | None, shift: float, result: Load
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    due = monotonic() + shift * (gap or 0)
    try:
        while monotonic() < ends:
            if gap is not None:
                due += gap
                await asyncio.sleep(max(0.0, due - monotonic()))
            sent = monotonic()
            await exchange(reader, writer, request())
            result.times.append(monotonic() - sent)
    finally:
        writer.close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    """One request, and the body of its answer. RuntimeError where that is no success."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    _, _, after = head.lower().partition(b"content-length:")
    body = await reader.readexactly(int(after.split(b"\r\n", 1)[0] or 0))
    if head[9:10] != b"2":
        raise RuntimeError(f"{head[:60].decode()!r} {body[:300].decode('utf-8', 'replace')}")
    return body
