"""The keys of persons: made once for each, kept wrapped in the ledger's keyring, destroyed by an erasure."""

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.seal import Fields, Kek, open_sealed, seal
from ledger.schema import keyring
from services.registry.person import Cadre, KnownPerson, person_stream

PERSONAL = ("name", "identity_number", "born", "phone")
"""The sealed fields; ``born`` in ISO 8601. No other service ever gets a birth date."""


class Keyring:
    """Opens what was sealed for a person, and seals what is corrected."""

    def __init__(self, engine: AsyncEngine, kek: Kek) -> None:
        self._engine, self.kek = engine, kek
        self._wrapped: dict[str, str] = {}

    async def key(self, person: str) -> bytes | None:
        """The person's key; None where there never was one or it was destroyed."""
        wrapped = self._wrapped.get(person) or (await self._read([person])).get(person)
        return None if wrapped is None else self.kek.unwrap(person, wrapped)

    async def open(self, person: KnownPerson | Cadre) -> Fields | None:
        """The personal fields in clear, None once erased."""
        key = await self.key(person.person)
        return None if key is None else open_sealed(key, person.person, person.sealed)

    async def preload(self, persons: Collection[str]) -> None:
        """Hold the wrapped keys of these persons, and of no others, for the next calls."""
        self._wrapped = await self._read(persons)

    def hold(self, persons: Mapping[str, bytes]) -> None:
        """Hold these wrapped keys besides, of persons who are registered in a rehearsal alone."""
        self._wrapped |= {person: wrapped.decode("ascii") for person, wrapped in persons.items()}

    async def _read(self, persons: Collection[str]) -> dict[str, str]:
        streams = [person_stream(person) for person in persons]
        async with self._engine.connect() as connection:
            found = await connection.execute(
                select(keyring.c.stream, keyring.c.wrapped).where(
                    keyring.c.stream.in_(streams), keyring.c.wrapped.is_not(None)
                )
            )
            return {row.stream.removeprefix("person-"): bytes(row.wrapped).decode("ascii") for row in found}


def seal_fields(key: bytes, person: str, fields: Fields) -> str:
    """Sealed, absent fields left out."""
    return seal(key, person, {name: fields[name] for name in PERSONAL if fields.get(name) is not None})


def differing(now: Fields, then: Fields) -> tuple[str, ...]:
    """The names of the personal fields that differ."""
    return tuple(name for name in PERSONAL if now.get(name) != then.get(name))
