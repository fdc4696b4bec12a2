"""`python -m benchmarks.peers.runner DSN EVENTS`: eventsourcing's ProjectionRunner on PostgreSQL fills a table of versions.

Each event closes its posting's row and opens a new one, as the project's own projection does. The events are written
through the library's own application first; only the runner is timed.
"""

import json
import sys
from datetime import date, timedelta
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg import sql

_COLUMNS = (
    "posting text, known_from bigint, known_to bigint, person text, sender text, host text, starts date, ends date,"
    " basis text, approved boolean, arrived_on date, PRIMARY KEY (posting, known_from)"
)
_CLOSE = """UPDATE public.versions SET known_to = %(n)s WHERE posting = %(posting)s AND known_to IS NULL
    RETURNING person, sender, host, starts, ends, basis, approved, arrived_on"""
_OPEN = """INSERT INTO public.versions VALUES (%(posting)s, %(n)s, NULL, %(person)s, %(sender)s, %(host)s, %(starts)s,
    %(ends)s, %(basis)s, %(approved)s, %(arrived_on)s)"""


class Posting(Aggregate):
    @event("Proposed")
    def __init__(self, person: str, sender: str, host: str, starts: str, ends: str, basis: str) -> None:
        self.person, self.sender, self.host, self.starts, self.ends, self.basis = (
            person, sender, host, starts, ends, basis,
        )  # fmt: skip

    @event("Approved")
    def approve(self) -> None:
        pass

    @event("Arrived")
    def arrive(self, on: str) -> None:
        pass

    @event("Extended")
    def extend(self, ends: str) -> None:
        self.ends = ends


class Postings(Application[UUID]):
    snapshotting_intervals = None


class View(PostgresTrackingRecorder):
    def _create_table(self, curs: Any) -> None:
        super()._create_table(curs)
        curs.execute(sql.SQL("CREATE TABLE IF NOT EXISTS public.versions ({})").format(sql.SQL(_COLUMNS)))

    def take(self, tracking: Tracking, posting: str, news: dict[str, Any]) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            values = {"posting": posting, "n": tracking.notification_id}
            before = cursor.execute(_CLOSE, values, prepare=True).fetchone()
            nothing = dict.fromkeys(("person", "sender", "host", "starts", "ends", "basis", "approved", "arrived_on"))
            cursor.execute(_OPEN, nothing | dict(before or {}) | values | news, prepare=True)
            self._insert_tracking(cursor, tracking)


class Rows(Projection[View]):
    name = "rows"

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        names = ("person", "sender", "host", "starts", "ends", "basis")
        news = {name: getattr(domain_event, name) for name in names if hasattr(domain_event, name)}
        kind = type(domain_event).__name__
        news |= {"approved": True} if kind == "Approved" else {}
        news |= {"arrived_on": domain_event.on} if kind == "Arrived" else {}
        self.view.take(tracking, str(domain_event.originator_id), news)


def main(dsn: str, events: int) -> None:
    address = urlsplit(dsn)
    env = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": address.path.lstrip("/"),
        "POSTGRES_HOST": str(address.hostname),
        "POSTGRES_PORT": str(address.port),
        "POSTGRES_USER": str(address.username),
        "POSTGRES_PASSWORD": str(address.password),
    }
    with_events = Postings(env=env)
    for n in range(events // 4):
        posting = Posting(f"p-{n}", "990117-0", f"990117-{n % 50}", "2026-01-05", "2027-12-31", "渝东委组〔2026〕12号")
        posting.approve()
        posting.arrive("2026-01-08")
        posting.extend((date(2027, 12, 31) + timedelta(days=n % 300)).isoformat())
        with_events.save(posting)
    last = with_events.recorder.max_notification_id() or 0
    began = monotonic()
    with ProjectionRunner(application_class=Postings, projection_class=Rows, view_class=View, env=env) as runner:
        runner.wait(last, timeout=500)
        seconds = monotonic() - began
    print(json.dumps({"events": last, "rate": last / seconds}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
