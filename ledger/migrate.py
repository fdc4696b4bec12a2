"""Bring a database's own tables to the version that this code knows. Read models are rebuilt, never migrated."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

LEDGER = Path(__file__).parent / "migrations"
LEDGER_TABLE = "ledger_schema"


class SchemaMismatch(RuntimeError):
    """The database's schema is older or newer than this code; the message says which and what to do."""


class SchemaNewer(SchemaMismatch):
    """It is newer. A process that starts refuses it; one that runs already may go on, since a
    migration takes away nothing but what the version before it had ceased to use."""


def _config(scripts: Path, table: str, connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, version_table=table)
    return config


def _upgrade(connection: Connection, scripts: Path, table: str, revision: str) -> None:
    # Two migrators at once would both create the version table: the second waits here and then finds nothing to do.
    connection.exec_driver_sql("SELECT pg_advisory_lock(hashtext('xiapai.migrate'))")
    try:
        _refuse_newer(connection, scripts, table)
        command.upgrade(_config(scripts, table, connection), revision)
        connection.commit()
    finally:
        connection.rollback()
        connection.exec_driver_sql("SELECT pg_advisory_unlock(hashtext('xiapai.migrate'))")
        connection.commit()


def _state(connection: Connection, scripts: Path, table: str) -> tuple[str | None, str | None, set[str]]:
    context = MigrationContext.configure(connection, opts={"version_table": table})
    return context.get_current_revision(), ScriptDirectory(str(scripts)).get_current_head(), revisions(scripts)


def _refuse_newer(connection: Connection, scripts: Path, table: str) -> None:
    current, head, known = _state(connection, scripts, table)
    if current is not None and current not in known:
        raise SchemaNewer(
            f"数据库的 {table} 为 {current},比本程序所知的 {head} 更新:请启动较新的程序。"
            f"The database's {table} is at {current}, newer than this program knows ({head}): start the newer program."
        )


def _check(connection: Connection, scripts: Path, table: str) -> None:
    _refuse_newer(connection, scripts, table)
    current, head, _ = _state(connection, scripts, table)
    if current != head:
        raise SchemaMismatch(
            f"数据库的 {table} 为 {current or '空'},本程序需要 {head}:请运行 xiapai migrate。"
            f"The database's {table} is at {current or 'nothing'}, this program needs {head}: run `xiapai migrate`."
        )


async def migrate(
    engine: AsyncEngine, scripts: Path = LEDGER, table: str = LEDGER_TABLE, revision: str = "head"
) -> None:
    """Bring the tables of ``scripts`` (an Alembic folder) to their newest version, or to ``revision``; ``table``
    remembers it.

    Raises:
        SchemaMismatch: the database is newer than this code.
    """
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade, scripts, table, revision)


def revisions(scripts: Path = LEDGER) -> set[str]:
    """Those that this program knows."""
    return {script.revision for script in ScriptDirectory(str(scripts)).walk_revisions()}


async def check(engine: AsyncEngine, scripts: Path = LEDGER, table: str = LEDGER_TABLE) -> None:
    """Refuse a database that is older or newer than this code.

    Raises:
        SchemaMismatch: it is; the message says which and what to do.
    """
    async with engine.connect() as connection:
        await connection.run_sync(_check, scripts, table)
