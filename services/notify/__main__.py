"""提醒, notify: `python -m services.notify api|relay|worker`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from xiapai_contracts.notify import TOPICS
from xiapai_contracts.topics import CODEC

from chassis.listing_routes import open_lists
from chassis.process import main
from chassis.service import Service, Tools, Work
from services.notify import rules
from services.notify.api import router
from services.notify.ends import Ends
from services.notify.lapsing import NAME as LAPSING
from services.notify.lapsing import Lapsing
from services.notify.reactions import deadlines
from services.notify.reminders import PARTIES, PROJECTION
from services.notify.sender import NAME as SENDER
from services.notify.sender import Sender
from services.notify.texts import TEXTS
from services.notify.webhook import open_webhook


@asynccontextmanager
async def open_work(tools: Tools) -> AsyncIterator[Work]:
    """Without a webhook nothing is sent: reminders stay to be sent until they lapse, and can be seen so."""
    handlers = (deadlines(tools.desk, tools.clock), PROJECTION, PARTIES)
    settings = tools.settings
    known = rules.load(settings.reminder_rules or rules.DEFAULT)
    lapsing = Lapsing(Ends(tools.engine, tools.desk, tools.clock, LAPSING), tools.clock, known)
    if settings.webhook_url is None:
        yield Work(handlers, {"lapsing": lapsing.run})
        return
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    async with open_webhook(tools.codec, settings.webhook_url.get_secret_value(), secret) as webhook:
        ends = Ends(tools.engine, tools.desk, tools.clock, SENDER)
        sending = Sender(ends, tools.clock, known, webhook, settings.webhook_attempts)
        yield Work(handlers, {"lapsing": lapsing.run, "sender": sending.run})


SERVICE = Service(
    name="notify",
    codec=CODEC,
    routers=[router],
    open_api=open_lists,
    open_work=open_work,
    topics=TOPICS,
    texts=TEXTS,
    migrations=((Path(__file__).parent / "migrations", "notify_schema"),),
)

if __name__ == "__main__":
    main(SERVICE)
