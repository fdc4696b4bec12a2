"""Rows that remember what was known when: each event of a stream closes its row and opens a new one.

``known_from`` is the ledger position of the event that made the row, ``known_to`` that of the event that ended it
(None: it holds). Valid time stands inside the row. A batch is folded in memory, stream by stream, then written at once.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.deliver import Delivered
from services.projection.tables import latest_of, write_versions


class Version(Protocol):
    """One row: its fields are the table's columns, in the table's order."""

    @property
    def known_from(self) -> int: ...

    def row(self, known_to: int | None) -> tuple[Any, ...]: ...


V = TypeVar("V", bound=Version)


async def project(
    connection: AsyncConnection,
    table: Table,
    events: Sequence[Delivered],
    key_of: Callable[[Any], str],
    evolve: Callable[[V | None, Any, Delivered], V],
    read: Callable[[Any], V],
) -> None:
    """Fold the events, which belong to this table, into it. ``key_of`` gives an event's key, the table's first column;
    ``evolve`` the version after an event (the one before it: None for a new stream); ``read`` a version from its row."""
    if not events:
        return
    key = table.columns[0].name
    found = await latest_of(connection, table, {key_of(d.event) for d in events})
    there: dict[str, V] = {row[key]: read(row) for row in found}
    now = dict(there)
    ended: list[tuple[str, int, int]] = []
    written: list[tuple[Any, ...]] = []
    for delivered in events:
        stream = key_of(delivered.event)
        before = now.get(stream)
        if before is not None:
            if delivered.meta.position <= before.known_from:
                continue  # a watermark that was set back: it is in the table already
            if before is there.get(stream):
                ended.append((stream, before.known_from, delivered.meta.position))
            else:
                written.append(before.row(delivered.meta.position))
        now[stream] = evolve(before, delivered.event, delivered)
    written += [version.row(None) for stream, version in now.items() if version is not there.get(stream)]
    if written:
        await write_versions(connection, table, ended, written)
