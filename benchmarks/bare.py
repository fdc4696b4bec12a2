"""The bare servers of `peers/bare.py`, run beside ours."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.lab import CHECKOUT, Lab
from deploy.embedded import process


@asynccontextmanager
async def bare(lab: Lab, kind: str) -> AsyncIterator[int]:
    """The port at which it answers: ``asgi`` GET anything, ``fastapi`` POST /."""
    port = process.free_port()
    command = [sys.executable, "-m", "benchmarks.peers.bare", kind, str(port)]
    started = process.spawn(command, log=lab.folder / f"{kind}.log", cwd=CHECKOUT, env={"PATH": "/usr/bin:/bin"})
    try:
        up = await asyncio.to_thread(process.wait_until, lambda: process.listens(port), started, seconds=20)
        if not up:
            raise RuntimeError(process.tail(lab.folder / f"{kind}.log", 500))
        yield port
    finally:
        process.stop(started, [])
