"""查询与督导台, the read side: `python -m services.projection api|worker`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from xiapai_contracts.topics import CODEC

from chassis.cursor import Cursors
from chassis.identity.wiring import session_key
from chassis.keys import derive
from chassis.process import main
from chassis.seal import Kek
from chassis.service import Service, Tools, Work
from chassis.tools import kafka_settings
from services.projection import api
from services.projection.builds import MIGRATIONS, refuse_newer, tidy
from services.projection.desk.pages import refusal
from services.projection.desk.routers import DESK
from services.projection.desk.texts import REFUSALS
from services.projection.keeper import Keeper, prepare
from services.projection.looking import Projection
from services.projection.measures import MEASURES
from services.projection.project import handler
from services.projection.texts import TEXTS


@asynccontextmanager
async def open_api(tools: Tools) -> AsyncIterator[Projection]:
    """What routes and pages work with."""
    await refuse_newer(tools.engine)
    yield Projection(tools.engine, tools.clock, Cursors(derive(session_key(tools.settings), "cursor")))


@asynccontextmanager
async def open_work(tools: Tools) -> AsyncIterator[Work]:
    """Reads into the builds that are there, and keeps them."""
    await refuse_newer(tools.engine)
    kek = Kek.load(tools.settings.key_file("kek_file"), make=tools.settings.development)
    async with tools.engine.begin() as connection:
        builds = await prepare(connection)
        await tidy(connection)
    keeper = Keeper(tools.engine, kafka_settings(tools.settings), kek, builds)
    yield Work(
        handlers=[handler(build, kek) for build in builds],
        background={"builds": keeper.run},
        ready={"builds": keeper.ready},
    )


SERVICE = Service(
    name="projection",
    routers=[api.router, *DESK],
    codec=CODEC,
    open_api=open_api,
    open_work=open_work,
    texts={**TEXTS, **REFUSALS},
    migrations=(MIGRATIONS,),
    measures=MEASURES,
    refusal_page=refusal,
)

if __name__ == "__main__":
    main(SERVICE)
