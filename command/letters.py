"""`xiapai dead-letters`: what could not be applied, why, and what to do about it."""

import getpass
import os

from rich.console import Console

from chassis.settings import load_settings
from chassis.tools import open_engine, open_tools
from command.mistakes import Unknown
from command.services import service, services
from ledger import deadletters


async def show(console: Console) -> None:
    """List the queues of every service: one line each, since handlers and streams are needed whole."""
    settings, parked = load_settings(), 0
    for one in services():
        engine = open_engine(one, settings)
        try:
            for queue in await deadletters.list_parked(engine):
                parked += 1
                stream = queue.stream or f"{queue.topic}[{queue.partition}] (id {queue.id})"
                since = queue.since.astimezone().strftime("%Y-%m-%d %H:%M")
                console.print(f"{one.name}  {queue.handler}  {stream}  {queue.count} 条 since {since}: {queue.reason}")
        finally:
            await engine.dispose()
    if not parked:
        console.print("没有搁置的记录 nothing is parked")


async def replay(console: Console, name: str, handler: str | None, stream: str | None) -> int:
    """Apply what is parked, in order; 1 where something still fails.

    Raises:
        Unknown: no such service or handler.
    """
    owner, left = service(name), 0
    async with open_tools(owner, load_settings()) as tools, owner.open_work(tools) as work:
        handlers = {one.name: one for one in work.handlers}
        if handler is not None and handler not in handlers:
            raise Unknown(f"没有处理者 {handler}。no such handler; there are: {', '.join(handlers)}")
        for one in handlers.values():
            if handler not in (None, one.name):
                continue
            for result in await deadletters.replay(tools.engine, one.name, one.apply, tools.codec, stream):
                left += result.left
                console.print(
                    f"{result.handler} {result.stream}: 已应用 applied {result.applied}, 仍搁置 left {result.left}"
                    + (f" ({result.reason})" if result.left else "")
                )
    return 1 if left else 0


async def discard(console: Console, name: str, handler: str, stream: str | None, ids: list[int]) -> None:
    """Give up a stream's queue, or single letters by their ids.

    Raises:
        Unknown: no such service, or neither a stream nor an id is named.
    """
    owner = service(name)
    if (stream is None) == (not ids):
        raise Unknown("请用 --stream 或 --id 之一指明。name either --stream or --id")
    engine = open_engine(owner, load_settings())
    try:
        gone = await deadletters.discard(engine, handler, by=_whoever(), ids=ids or None, stream=stream)
    finally:
        await engine.dispose()
    console.print(f"已放弃 {gone} 条 given up")


def _whoever() -> str:
    """The account of who runs the command; its number where that has no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
