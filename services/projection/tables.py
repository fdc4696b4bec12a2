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


# Rows go to the server as one JSON document: arrays of 27 columns cost the driver three times as much (16 us a row).
_encode = msgspec.json.Encoder().encode
_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


async def upsert(connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows (values in the order of the table's columns) in one statement; those of a key already there replace
    it. A key may stand in ``rows`` once."""
    if rows:
        await (await driver(connection)).execute(_upsert(table), _document(table, rows))


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
    """In one statement end the rows of ``ended`` (key, known_from, known_to), which stand in the table, and write rows
    as `upsert` does. (A row that only ends is not sent whole: half of what the client does for a batch.)"""
    keys, since, until = zip(*ended, strict=True) if ended else ((), (), ())
    await (await driver(connection)).execute(_versions(table), _document(table, rows), keys, since, until)


@cache
def _versions(table: Table) -> str:
    key = table.columns[0].name
    return (
        f"WITH ended AS (UPDATE {table.name} AS t SET known_to = e.known_to "
        f"FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS e (key, known_from, known_to) "
        f"WHERE t.{key} = e.key AND t.known_from = e.known_from) {_upsert(table)}"
    )


@cache
def _upsert(table: Table) -> str:
    names = [column.name for column in table.columns]
    kinds = {column.name: column.type.compile(_dialect).split(" COLLATE")[0] for column in table.columns}
    columns, typed = ", ".join(names), ", ".join(f"{n} {kinds[n]}" for n in names)
    key = [column.name for column in table.primary_key]
    rest = ", ".join(f"{n} = excluded.{n}" for n in names if n not in key)
    return (
        f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM json_to_recordset($1::text::json) AS r ({typed}) "
        f"ON CONFLICT ({', '.join(key)}) DO " + (f"UPDATE SET {rest}" if rest else "NOTHING")
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
