"""``python -m tests.services.registry.import_worker DSN FOLDER``: imports until killed, in a process of its own."""

import asyncio
import sys
from pathlib import Path

from pydantic import SecretStr

from chassis.settings import Settings
from chassis.tools import open_tools
from services.registry.__main__ import SERVICE


def settings_of(dsn: str, folder: Path) -> Settings:
    """As a process of the registry would be told."""
    return Settings(
        environment="development", data=folder, database_registry=SecretStr(dsn), public_url="http://127.0.0.1:8080"
    )


async def main(settings: Settings) -> None:
    async with open_tools(SERVICE, settings) as tools, SERVICE.open_work(tools) as work:
        await work.background["imports"]()


if __name__ == "__main__":
    asyncio.run(main(settings_of(sys.argv[1], Path(sys.argv[2]))))
