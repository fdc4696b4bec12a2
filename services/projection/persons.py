"""人员 names in clear, for search: row by row, dropped on erasure, after which the person shows as 已删除.

What is sealed and the key that opens it come over two topics in any order, and perhaps by two workers at once: each
writes its half into the person's row, whose lock makes the second see the first, and the second opens the seal.
Identity numbers and phones never leave the seal here.

``sort`` is where a person stands in a roster: by pinyin; a name whose key is still under way before all others, and 已删除
behind them, so that what is opened or erased between two pages moves on, and is met twice rather than missed.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from sqlalchemy import Boolean, Column, Computed, Index, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.registry import PersonCorrected, PersonErased, PersonRegistered

from chassis.seal import Kek, SealBroken, open_sealed
from ledger.deliver import Delivered
from services.projection.spelling import spell
from services.projection.tables import Code, Position, metadata

PERSONS_VERSION = 2
ERASED = "已删除"
MASKED = "＊＊＊"
_STREAM = "person-"

log = structlog.get_logger("persons")

persons = Table(
    "persons",
    metadata,
    Column("person", Code, primary_key=True),
    Column("sealed", Text),
    Column("sealed_at", Position),
    Column("wrapped", Text),
    Column("erased", Boolean, nullable=False, server_default=text("false")),
    Column("name", Text),
    Column("spelt", Code),
    Column("initials", Code),
    Column("sort", Code, Computed("CASE WHEN erased THEN '~' ELSE COALESCE(spelt, '') END", persisted=True)),
)
Index("persons_sort", persons.c.sort, persons.c.person)

# Sorted by key, so that two workers take the locks of rows in one order.
_SEALED = text("""
INSERT INTO persons AS p (person, sealed, sealed_at)
SELECT * FROM unnest(CAST(:persons AS text[]), CAST(:sealed AS text[]), CAST(:at AS bigint[])) AS r (person, sealed, at)
ORDER BY person COLLATE "C"
ON CONFLICT (person) DO UPDATE SET sealed = excluded.sealed, sealed_at = excluded.sealed_at
WHERE NOT p.erased AND (p.sealed_at IS NULL OR p.sealed_at < excluded.sealed_at)
RETURNING person, sealed, wrapped
""")
_KEYS = text("""
INSERT INTO persons AS p (person, wrapped)
SELECT * FROM unnest(CAST(:persons AS text[]), CAST(:wrapped AS text[])) AS r (person, wrapped)
ORDER BY person COLLATE "C"
ON CONFLICT (person) DO UPDATE SET wrapped = excluded.wrapped WHERE NOT p.erased
RETURNING person, sealed, wrapped
""")
_ERASED = text("""
INSERT INTO persons AS p (person, erased)
SELECT person, true FROM unnest(CAST(:persons AS text[])) AS r (person) ORDER BY person COLLATE "C"
ON CONFLICT (person) DO UPDATE
SET erased = true, sealed = NULL, wrapped = NULL, name = NULL, spelt = NULL, initials = NULL
""")
_NAMES = text("""
UPDATE persons AS p SET name = r.name, spelt = r.spelt, initials = r.initials
FROM unnest(CAST(:persons AS text[]), CAST(:names AS text[]), CAST(:spelt AS text[]), CAST(:initials AS text[]))
     AS r (person, name, spelt, initials)
WHERE p.person = r.person
""")


async def project(connection: AsyncConnection, events: Sequence[Delivered], kek: Kek) -> None:
    """Take up the events of the topic registry.persons."""
    newest: dict[str, tuple[str, int]] = {}
    erased: set[str] = set()
    for delivered in events:
        match delivered.event:
            case PersonRegistered(person=person, sealed=sealed) | PersonCorrected(person=person, sealed=sealed):
                newest[person] = (sealed, delivered.meta.position)
            case PersonErased(person=person):
                erased.add(person)
            case _:
                pass
    if newest:
        values = {
            "persons": list(newest),
            "sealed": [s for s, _ in newest.values()],
            "at": [p for _, p in newest.values()],
        }
        await _open(connection, (await connection.execute(_SEALED, values)).all(), kek)
    await _erase(connection, erased)


async def project_keys(connection: AsyncConnection, records: Sequence[Delivered], kek: Kek) -> None:
    """Take up the records of the topic registry.keys: a person's wrapped key, or none, which is an erasure."""
    keys = {_person(d.meta.stream): d.value for d in records}
    given = {person: value.decode() for person, value in keys.items() if value is not None}
    if given:
        values = {"persons": list(given), "wrapped": list(given.values())}
        await _open(connection, (await connection.execute(_KEYS, values)).all(), kek)
    await _erase(connection, keys.keys() - given.keys())


async def _erase(connection: AsyncConnection, who: Iterable[str]) -> None:
    if gone := list(who):
        await connection.execute(_ERASED, {"persons": gone})


async def _open(connection: AsyncConnection, rows: Sequence[Any], kek: Kek) -> None:
    named = []
    for row in rows:
        if row.sealed is not None and row.wrapped is not None:
            name = _name(row.person, row.sealed, row.wrapped, kek)
            if name is not None:
                spelt = spell(name)
                named.append((row.person, name, spelt.spelt, spelt.initials))
    if named:
        columns = zip(("persons", "names", "spelt", "initials"), zip(*named, strict=True), strict=True)
        await connection.execute(_NAMES, {column: list(values) for column, values in columns})


def _name(person: str, sealed: str, wrapped: str, kek: Kek) -> str | None:
    try:
        return open_sealed(kek.unwrap(person, wrapped), person, sealed).get("name")
    except SealBroken as error:
        log.error("seal-not-opened", person=person, reason=str(error))
        return None


def _person(stream: str) -> str:
    if not stream.startswith(_STREAM):
        raise ValueError("a key of something that is no person")
    return stream.removeprefix(_STREAM)
