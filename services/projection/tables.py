"""How read models keep and write their rows.

The tables of one build stand in a PostgreSQL schema of their own and are named without it: who reads or writes sets
the search path of the transaction (:mod:`services.projection.builds`).
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, BigInteger, DateTime, MetaData, Table, Text, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

metadata = MetaData()

Code = Text(collation="C")
"""Codes compare by code point, as the rules of the figures ask."""
Position = BigInteger()
Moment = DateTime(timezone=True)

_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


async def upsert(connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows (values in the order of the table's columns) in one statement; those of a key already there replace
    it. A key may stand in ``rows`` once."""
    if rows:
        await connection.execute(text(_upsert(table)), _arrays(table, rows))


async def rows_of(
    connection: AsyncConnection, table: Table, key: str, values: Iterable[str], condition: str = "true"
) -> Sequence[Any]:
    """The rows of a table whose ``key`` is one of ``values`` and that fulfil ``condition`` (SQL of this program)."""
    statement = f"SELECT * FROM {table.name} WHERE {key} = ANY(CAST(:values AS text[])) AND {condition}"
    return (await connection.execute(text(statement), {"values": list(values)})).all()


@cache
def _upsert(table: Table) -> str:
    names = [column.name for column in table.columns]
    kinds = {column.name: column.type.compile(_dialect).split(" COLLATE")[0] for column in table.columns}
    nested = {column.name for column in table.columns if isinstance(column.type, ARRAY)}
    # an array of arrays cannot be ragged, so that a column of arrays comes as their texts
    given = ", ".join(f"CAST(:{n} AS {'text' if n in nested else kinds[n]}[])" for n in names)
    taken = ", ".join(f"CAST(r.{n} AS {kinds[n]})" if n in nested else f"r.{n}" for n in names)
    key = [column.name for column in table.primary_key]
    rest = ", ".join(f"{n} = excluded.{n}" for n in names if n not in key)
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {taken} FROM unnest({given}) AS r ({', '.join(names)}) "
        f"ON CONFLICT ({', '.join(key)}) DO " + (f"UPDATE SET {rest}" if rest else "NOTHING")
    )


def _arrays(table: Table, rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    columns = zip(*rows, strict=True)
    return {
        column.name: [array_text(value) for value in values] if isinstance(column.type, ARRAY) else list(values)
        for column, values in zip(table.columns, columns, strict=True)
    }


def array_text(values: Iterable[object | None]) -> str:
    """A one-dimensional PostgreSQL array as its text."""
    return "{" + ",".join("NULL" if v is None else _quoted(str(v)) for v in values) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def like(words: str | None, *, anywhere: bool = False) -> str | None:
    """The pattern of LIKE for texts that begin with ``words`` (or hold them ``anywhere``), whatever signs stand there."""
    if words is None:
        return None
    plain = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{'%' if anywhere else ''}{plain}%"
