"""`python -m benchmarks.peers.bare asgi|fastapi PORT`: an answer and nothing else, by the same server as ours."""

import asyncio
import sys
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


empty = FastAPI(openapi_url=None)


@empty.post("/", status_code=201)
async def answer() -> dict[str, str]:
    return {}


def main(kind: str, port: int) -> None:
    app: Any = asgi if kind == "asgi" else empty
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_config=None, access_log=False, http="httptools", lifespan="off"
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
