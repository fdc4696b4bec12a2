"""Notify's sender in a process of its own, told by the environment, so that a test can kill it."""

import asyncio

from chassis.settings import load_settings
from chassis.tools import open_tools
from services.notify.__main__ import SERVICE


async def main() -> None:
    async with open_tools(SERVICE, load_settings()) as tools, SERVICE.open_work(tools) as work:
        await work.background["sender"]()


if __name__ == "__main__":
    asyncio.run(main())
