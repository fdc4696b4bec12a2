"""How read models keep and write their rows.

The tables of one build stand in a PostgreSQL schema of their own and are named without it: who reads or writes sets
the search path of the transaction (:mod:`services.projection.builds`). They are written through asyncpg itself, as
watermarks are (:mod:`ledger.watermark`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import BigInteger, DateTime, MetaData, Table, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.database import driver

metadata = MetaData()

Code = Text(collation="C")
"""Codes compare by code point, as the rules of the figures ask."""
Position = BigInteger()
Moment = DateTime(timezone=True)

_NAME = re.compile(r"(?<![:\w]):([a-z_]+)")  # and no cast (``a::text``)


async def ask(connection: AsyncConnection, question: str, values: Mapping[str, Any]) -> list[asyncpg.Record]:
    """The rows that answer a question whose parameters have names (``:day``). Through asyncpg itself: SQLAlchemy, which has
    the same words, took a quarter of what a process spends on one answer (890 us, 680 so)."""
    numbered, names = _numbered(question)
    found: list[asyncpg.Record] = await (await driver(connection)).fetch(numbered, *(values[name] for name in names))
    return found


@lru_cache(maxsize=512)
def _numbered(question: str) -> tuple[str, tuple[str, ...]]:
    names: dict[str, int] = {}
    numbered = _NAME.sub(lambda found: f"${names.setdefault(found[1], len(names) + 1)}", question)
    return numbered, tuple(names)


MANY = 100
"""Few rows go to the server as one JSON document, in one exchange, with the statement that ends others; many are copied,
which takes more exchanges, and 5 us a row instead of 12 (27 columns; the server's work included)."""

_encode = msgspec.json.Encoder().encode
_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


async def insert(
    connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]], *, again: bool = False
) -> None:
    """Write rows (values in the order of the table's columns). ``again``: some of their keys (the first column, numbers) may
    be there already; what is there stays."""
    raw = await driver(connection)
    if len(rows) < MANY:
        if rows:
            await raw.execute(_insert(table, again=again), _document(table, rows))
        return
    if again:
        key = table.columns[0].name
        asked = f"SELECT {key} FROM {table.name} WHERE {key} = ANY($1::bigint[])"
        there = {number for (number,) in await raw.fetch(asked, [row[0] for row in rows])}
        rows = [row for row in rows if row[0] not in there]
    await raw.copy_records_to_table(table.name, records=rows, columns=[column.name for column in table.columns])


async def latest_of(connection: AsyncConnection, table: Table, keys: Iterable[str]) -> Sequence[Any]:
    """Of each of these keys (the table's first column) the latest version, which is the one that holds: one step into the
    primary key, however long its history is."""
    found: Sequence[Any] = await (await driver(connection)).fetch(_latest(table), list(keys))
    return found


@cache
def _latest(table: Table) -> str:
    key = table.columns[0].name
    return (
        f"SELECT {', '.join(f't.{column.name}' for column in table.columns)} FROM unnest($1::text[]) AS k (key) CROSS JOIN"
        f" LATERAL (SELECT * FROM {table.name} WHERE {key} = k.key ORDER BY known_from DESC LIMIT 1) t"
    )


async def write_versions(
    connection: AsyncConnection, table: Table, ended: Sequence[tuple[str, int, int]], rows: Sequence[tuple[Any, ...]]
) -> None:
    """End the rows of ``ended`` (key, known_from, known_to), which stand in the table, and write new ones."""
    raw = await driver(connection)
    keys, since, until = zip(*ended, strict=True) if ended else ((), (), ())
    if len(rows) >= MANY:
        await raw.execute(_end(table), keys, since, until)
        await insert(connection, table, rows)
    else:
        await raw.execute(_end_and_insert(table), keys, since, until, _document(table, rows))


@cache
def _end(table: Table) -> str:
    key = table.columns[0].name
    return (
        f"UPDATE {table.name} AS t SET known_to = e.known_to "
        f"FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS e (key, known_from, known_to) "
        f"WHERE t.{key} = e.key AND t.known_from = e.known_from"
    )


@cache
def _end_and_insert(table: Table) -> str:
    return f"WITH ended AS ({_end(table)}) {_insert(table, document=4)}"


@cache
def _insert(table: Table, *, document: int = 1, again: bool = False) -> str:
    """The rows of the parameter of that number."""
    names = ", ".join(column.name for column in table.columns)
    typed = ", ".join(f"{c.name} {c.type.compile(_dialect).split(' COLLATE')[0]}" for c in table.columns)
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM json_to_recordset(${document}::text::json) AS r ({typed})"
        + (" ON CONFLICT DO NOTHING" if again else "")
    )


def _document(table: Table, rows: Sequence[tuple[Any, ...]]) -> str:
    names = [column.name for column in table.columns]
    return _encode([dict(zip(names, row, strict=True)) for row in rows]).decode()


def like(words: str | None, *, anywhere: bool = False) -> str | None:
    """The pattern of LIKE for texts that begin with ``words`` (or hold them ``anywhere``), whatever signs stand there."""
    if words is None:
        return None
    plain = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{'%' if anywhere else ''}{plain}%"
