"""How a process reaches a database."""

import ssl
from typing import Any

import asyncpg
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine


def connect(dsn: str | URL, *, application: str = "xiapai", pool_size: int = 10, **options: Any) -> AsyncEngine:
    """An engine over asyncpg for ``postgresql://user:password@host:port/database``. Opens nothing yet.

    Of libpq's parameters the address may hold ``sslmode`` (``disable``, ``prefer``, ``require``, ``verify-full``) and
    ``sslrootcert``, the authority's PEM file (default the system's authorities).

    The JIT is off: our statements are short, and compiling one costs more than it saves. Commits are synchronous
    whatever the server's default: an acknowledged command must survive the server's death.
    """
    session = {"application_name": application, "jit": "off", "timezone": "UTC", "synchronous_commit": "on"}
    url = make_url(dsn).set(drivername="postgresql+asyncpg")
    return create_async_engine(
        url.difference_update_query(["sslmode", "sslrootcert"]),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=False,
        connect_args={"timeout": 5, "server_settings": session, **_tls(url)},
        hide_parameters=True,  # a failing row's values may be personal
        **options,
    )


async def driver(connection: AsyncConnection) -> asyncpg.Connection:
    """The connection of asyncpg below. What is executed on it belongs to no transaction that SQLAlchemy knows of."""
    found = (await connection.get_raw_connection()).driver_connection
    assert found is not None
    return found


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
