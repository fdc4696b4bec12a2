"""How a process reaches a database."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ledger.trouble import is_trouble


def connect(dsn: str | URL, *, application: str = "xiapai", pool_size: int = 20, **options: Any) -> AsyncEngine:
    """An engine over asyncpg for ``postgresql://user:password@host:port/database``. Opens nothing yet.

    Of libpq's parameters the address may hold ``sslmode`` (``disable``, ``prefer``, ``require``, ``verify-full``) and
    ``sslrootcert``, the authority's PEM file (default the system's authorities).

    The JIT is off: our statements are short, and compiling one costs more than it saves. Commits are synchronous
    whatever the server's default: an acknowledged command must survive the server's death.
    """
    session = {"application_name": application, "jit": "off", "timezone": "UTC", "synchronous_commit": "on"}
    url = make_url(dsn).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(
        url.difference_update_query(["sslmode", "sslrootcert"]),
        pool_size=pool_size,
        max_overflow=0,  # what is above the size would be closed after one use, and opened again
        pool_pre_ping=False,
        connect_args={"timeout": 5, "server_settings": session, **_tls(url)},
        hide_parameters=True,  # a failing row's values may be personal
        **options,
    )
    event.listen(engine.sync_engine, "checkout", _seen_to_be_open)
    return engine


def _seen_to_be_open(connection: Any, *_: Any) -> None:
    """Of a connection that was lost while it lay in the pool the driver knows, so nobody is given it: no ping for that."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


async def driver(connection: AsyncConnection) -> asyncpg.Connection:
    """The connection of asyncpg below. What is executed on it belongs to the transaction that is open there; where
    SQLAlchemy is to begin one and has executed nothing yet, to none."""
    found = (await connection.get_raw_connection()).driver_connection
    assert found is not None
    return found


@asynccontextmanager
async def transaction(engine: AsyncEngine, *settings: str, mode: str = "") -> AsyncIterator[AsyncConnection]:
    """A transaction that asyncpg begins and ends, each in one exchange; what SQLAlchemy executes on the connection belongs
    to it as well. ``settings`` (`name = value`) hold for it alone, ``mode`` is what BEGIN says."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        raw = await driver(connection)
        try:
            await raw.execute("; ".join((f"BEGIN {mode}", *(f"SET LOCAL {one}" for one in settings))))
            yield connection
            ended = await raw.execute("COMMIT")
            if ended != "COMMIT":
                raise RuntimeError(f"a statement had failed: {ended}")
        except BaseException as error:
            if isinstance(error, Exception) and not is_trouble(error) and not raw.is_closed():
                await raw.execute("ROLLBACK")
            else:
                await connection.invalidate()
            raise


@asynccontextmanager
async def moment(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection that sees the database at one moment, that of its first question, and cannot write. Writers do not
    wait for it."""
    async with transaction(engine, mode="ISOLATION LEVEL REPEATABLE READ, READ ONLY") as connection:
        yield connection


def _tls(url: URL) -> dict[str, Any]:
    """asyncpg's own word for it: given a mode alone, it would look for an authority in the home folder only."""
    match url.query.get("sslmode"):
        case None | "prefer":
            return {}
        case "disable":
            return {"ssl": False}
        case "require":
            unverified = ssl.create_default_context()
            unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
            return {"ssl": unverified}
        case "verify-full":
            authority = url.query.get("sslrootcert")
            return {"ssl": ssl.create_default_context(cafile=str(authority) if authority else None)}
        case other:
            raise ValueError(f"sslmode={other} is not known here")
