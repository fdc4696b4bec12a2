"""How a process reaches a database."""

from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def connect(dsn: str | URL, *, application: str = "xiapai", pool_size: int = 10, **options: Any) -> AsyncEngine:
    """An engine over asyncpg for ``postgresql://user:password@host:port/database``. Opens nothing yet.

    The JIT is off: our statements are short, and compiling one costs more than it saves. Commits are synchronous
    whatever the server's default: an acknowledged command must survive the server's death.
    """
    session = {"application_name": application, "jit": "off", "timezone": "UTC", "synchronous_commit": "on"}
    url = make_url(dsn).set(drivername="postgresql+asyncpg")
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=False,
        connect_args={"timeout": 5, "server_settings": session},
        hide_parameters=True,  # a failing row's values may be personal
        **options,
    )
