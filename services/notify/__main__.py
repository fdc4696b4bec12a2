"""提醒, notify: `python -m services.notify api|relay|worker`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from xiapai_contracts.notify import TOPICS
from xiapai_contracts.topics import CODEC

from chassis.cursor import Cursors
from chassis.identity.wiring import session_key
from chassis.keys import derive
from chassis.process import main
from chassis.service import Service, Tools, Work
from services.notify.api import Context, router
from services.notify.reactions import deadlines
from services.notify.reminders import PARTIES, PROJECTION
from services.notify.sender import Sender
from services.notify.texts import TEXTS
from services.notify.webhook import open_webhook


@asynccontextmanager
async def open_api(tools: Tools) -> AsyncIterator[Context]:
    yield Context(tools.engine, Cursors(derive(session_key(tools.settings), "cursor")))


@asynccontextmanager
async def open_work(tools: Tools) -> AsyncIterator[Work]:
    """Without a webhook nothing is sent: reminders stay to be sent, and can be seen so."""
    handlers = (deadlines(tools.desk, tools.clock), PROJECTION, PARTIES)
    settings = tools.settings
    if settings.webhook_url is None:
        yield Work(handlers)
        return
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    async with open_webhook(tools.codec, settings.webhook_url.get_secret_value(), secret) as webhook:
        sender = Sender(tools.engine, tools.desk, tools.clock, webhook, settings.webhook_attempts)
        yield Work(handlers, {"sender": sender.run})


SERVICE = Service(
    name="notify",
    codec=CODEC,
    router=router,
    open_api=open_api,
    open_work=open_work,
    topics=TOPICS,
    texts=TEXTS,
    migrations=((Path(__file__).parent / "migrations", "notify_schema"),),
)

if __name__ == "__main__":
    main(SERVICE)
