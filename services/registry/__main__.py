"""The registry's composition root: ``python -m services.registry api|relay|worker``."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from xiapai_contracts.registry import TOPICS
from xiapai_contracts.topics import CODEC

from chassis.dated import BadRules
from chassis.process import main
from chassis.seal import Kek
from chassis.service import Service, Tools, Work
from chassis.settings import SettingsMistake
from services.registry.api import ROUTERS
from services.registry.asking import Registry
from services.registry.category_rules import load
from services.registry.commands import persons
from services.registry.commands.context import Context
from services.registry.imports.jobs import MIGRATIONS, SAVED, UNDER_WAY, VERSION_TABLE
from services.registry.imports.runner import ImportRunner
from services.registry.keyring import Keyring
from services.registry.texts import CONFLICTS, TEXTS
from services.registry.workbook import Limits
from services.registry.workbook.sentences import REFUSALS


def _context(tools: Tools) -> Context:
    settings = tools.settings
    kek = Kek.load(settings.key_file("kek_file"), make=settings.development)
    try:
        rules = load(settings.category_rules)
    except BadRules as mistake:
        raise SettingsMistake(f"XIAPAI_CATEGORY_RULES: {mistake}") from mistake
    return Context(Keyring(tools.engine, kek), rules)


@asynccontextmanager
async def open_api(tools: Tools) -> AsyncIterator[Registry]:
    """What the routes work with."""
    yield Registry(tools.engine, tools.desk, tools.clock, _context(tools))


@asynccontextmanager
async def open_work(tools: Tools) -> AsyncIterator[Work]:
    """The registry hears of nothing from others; its worker imports workbooks."""
    runner = ImportRunner(tools.engine, tools.desk, _context(tools), tools.settings.import_retention_days)
    yield Work(background={"imports": runner.run})


async def erase_again(tools: Tools, streams: Collection[str]) -> None:
    """Record the erasures that a restored ledger does not know of."""
    for stream in sorted(streams):
        plan = persons.erase(stream.removeprefix("person-"), "恢复备份后重新删除")
        await tools.desk.record(plan, by="restore", at=tools.clock.now(), cause=f"restore/{stream}")


SERVICE = Service(
    name="registry",
    routers=ROUTERS,
    codec=CODEC,
    open_api=open_api,
    open_work=open_work,
    topics=TOPICS,
    texts={**TEXTS, **REFUSALS},
    conflicts=CONFLICTS,
    migrations=((MIGRATIONS, VERSION_TABLE),),
    larger_bodies={"/api/registry/imports": Limits().file},
    saved=SAVED,
    erase_again=erase_again,
    measures=(UNDER_WAY,),
)

if __name__ == "__main__":
    main(SERVICE)
