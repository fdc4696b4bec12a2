"""`python -m benchmarks.peers.agent BOOTSTRAP PREFIX DSN EVENTS FOLDER`: a stock Faust agent fills a table of versions.

It reads the project's own topic of postings, decodes, and for each event closes the posting's row and opens a new one
in a transaction, as Faust's documentation writes an agent with a database beside it.
"""

import json
import os
import sys
from time import monotonic
from typing import Any

import asyncpg
import faust
import msgspec

_TABLE = """CREATE TABLE versions (posting text, known_from bigint, known_to bigint, fields jsonb, PRIMARY KEY (posting, known_from));
CREATE INDEX versions_now ON versions (posting) WHERE known_to IS NULL"""
_CLOSE = "UPDATE versions SET known_to = $2 WHERE posting = $1 AND known_to IS NULL RETURNING fields"
_OPEN = "INSERT INTO versions VALUES ($1, $2, NULL, $3)"
_WARM = 500


def main(bootstrap: str, prefix: str, dsn: str, events: int, folder: str) -> None:
    app = faust.App(
        "bench-agent-" + folder.rsplit("-", 1)[-1],
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=folder,
        web_enabled=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        value_serializer="raw",
        key_serializer="raw",
        broker_max_poll_records=500,
    )
    topic = app.topic(f"{prefix}registry.postings", partitions=6, value_serializer="raw", key_serializer="raw")
    seen = 0
    began = 0.0
    out = os.dup(1)

    async def pool() -> asyncpg.Pool:
        made = await asyncpg.create_pool(dsn, min_size=1, max_size=2)
        await made.execute(_TABLE)
        return made

    @app.agent(topic)  # type: ignore[untyped-decorator,unused-ignore]
    async def versions(stream: Any) -> None:
        nonlocal seen, began
        database = await pool()
        async for one in stream.events():
            headers = dict(one.headers)
            if headers["ce_type"] == b"ledger.marker":
                continue
            posting, position = one.key.decode(), int(headers["ce_position"])
            news = msgspec.json.decode(one.value)
            async with database.acquire() as connection, connection.transaction():
                before = await connection.fetchval(_CLOSE, posting, position)
                fields = (msgspec.json.decode(before) if before else {}) | news
                await connection.execute(_OPEN, posting, position, msgspec.json.encode(fields).decode())
            seen += 1
            if seen == _WARM:
                began = monotonic()
            elif seen == events:
                said = json.dumps({"events": seen, "rate": (seen - _WARM) / (monotonic() - began)})
                # Past the worker's own standard output, which becomes its log; and Faust takes seconds to stop.
                os.write(out, f"{said}\n".encode())
                os._exit(0)

    worker = faust.Worker(app, loglevel="ERROR")
    worker.execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
