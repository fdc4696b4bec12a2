"""A database of its own for each test, dropped afterwards."""

import secrets
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.embedded.apart import run_apart


class Databases:
    """Makes databases on one server; `drop_all` drops what it made, with whoever is still connected."""

    def __init__(self, admin: str) -> None:
        self._admin = admin
        self._names: list[str] = []

    def __call__(self) -> str:
        """DSN (`postgresql://`) of a fresh, empty database."""
        name = f"test_{secrets.token_hex(6)}"
        self._execute(f'CREATE DATABASE "{name}"')
        self._names.append(name)
        return urlunsplit(urlsplit(self._admin)._replace(path=f"/{name}"))

    def drop_all(self) -> None:
        for name in self._names:
            self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._names.clear()

    def _execute(self, statement: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self._admin)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        run_apart(execute())
