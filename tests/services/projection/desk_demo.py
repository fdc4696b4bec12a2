"""The desk over the demo district, without Kafka: its rows as events, projected into a database of one's own.

``python -m tests.services.projection.desk_demo PORT`` serves it for a look: the pages and the development issuer.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.registry import (
    PostingEndedEarly,
    PostingRecalled,
    TermCompleted,
    UnitMerged,
    UnitRegistered,
    UnitRenamed,
)
from xiapai_contracts.terms import EndReason, RecallGround, UnitKind
from xiapai_contracts.topics import CODEC

from chassis.api_process import api_app
from chassis.clock import SimulatedClock
from chassis.cursor import Cursors
from chassis.identity.demo_people import DemoPerson, demo_people
from chassis.service import Service, Tools, Work
from chassis.settings import Settings
from chassis.telemetry import configure_telemetry
from deploy.demo.district import District, build
from deploy.demo.edges import ENDED_BEFORE_THE_MERGER, ERASED, MERGED_ON, RUNS_ON
from ledger.database import connect
from services.projection import builds
from services.projection.__main__ import SERVICE
from services.projection.looking import Projection
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.services.projection.story import Reader, Story

NOW = datetime(2026, 7, 1, 1, 0, tzinfo=UTC)
"""The demo's moment: 2026-07-01 09:00 in the district."""


def tell(story: Story, district: District) -> None:
    """The district's rows as an import would record them, a parent before its children; then some of the demo's edges."""
    known: set[str] = set()
    rest = list(district.units)
    while rest:
        for unit in [one for one in rest if one.parent is None or one.parent in known]:
            known.add(unit.code)
            story.tell(
                UnitRegistered(
                    unit=unit.code,
                    name=unit.name,
                    kind=unit.kind,
                    parent=unit.parent,
                    credit_code=unit.credit_code,
                    poor_village=unit.poor_village,
                    division=unit.division,
                )
            )
        rest = [one for one in rest if one.code not in known]
    for cadre in district.cadres:
        story.person(cadre.code, cadre.name, cadre.sender)
    contacts: dict[str, str] = {}
    for row in district.postings:
        for name in (row.sender_contact, row.host_contact):
            if name and name not in contacts:
                contacts[name] = story.person(f"A{len(contacts) + 1:06d}", name, row.sender)
        story.post(
            row.code,
            row.person,
            row.host,
            row.arrived,
            tier=row.tier,
            category=row.category,
            sender=row.sender,
            starts=row.starts,
            ends=row.ends,
            basis=row.basis,
            mode=row.mode,
            duty=row.duty,
            direction=row.direction,
            sender_contact=contacts.get(row.sender_contact or ""),
            host_contact=contacts.get(row.host_contact or ""),
        )
        if row.ended is not None:
            match row.end_reason:
                case EndReason.TERM_COMPLETED:
                    story.tell(TermCompleted(posting=row.code, on=row.ended))
                case EndReason.RECALLED:
                    story.tell(PostingRecalled(posting=row.code, on=row.ended, ground=RecallGround.HEALTH))
                case _:
                    story.tell(PostingEndedEarly(posting=row.code, on=row.ended))
    story.unit("C90001", UnitKind.VILLAGE, "J0005", "新合村")
    story.unit("C90002", UnitKind.VILLAGE, "J0005", "分水村")
    for merged in (ENDED_BEFORE_THE_MERGER, RUNS_ON):
        story.tell(UnitMerged(unit=merged, into="C90001", on=MERGED_ON))
    story.tell(UnitRenamed(unit="X00007", name="双槐实验小学", on=datetime(2026, 4, 1).date()))
    story.erase(ERASED)


async def project(engine: AsyncEngine, story: Story) -> Reader:
    """A live build that holds the whole story."""
    await builds.migrate(engine)
    async with engine.begin() as connection:
        made = await builds.begin(connection)
        await builds.switch(connection, made)
    reader = Reader(engine, made)
    await reader.take([*story.keys, *story.delivered()], batch=2000)
    await reader.reach(story.head)
    return reader


def people() -> list[DemoPerson]:
    """Who can log in: the office, a town's clerk (and leader), and those who need no scope."""
    return demo_people(units={"J0005": "石鼓镇"})


def desk_app(engine: AsyncEngine, folder: Path, url: str, port: int) -> FastAPI:
    """The projection's API and the desk on this database, with the development issuer; no other service."""
    settings = Settings(environment="development", data=folder, public_url=url, http_port=port, log_format="console")

    @asynccontextmanager
    async def open_api(tools: Tools) -> AsyncIterator[Projection]:
        yield Projection(engine, SimulatedClock(NOW), Cursors(bytes(32)))

    @asynccontextmanager
    async def open_work(tools: Tools) -> AsyncIterator[Work]:
        yield Work()

    service = Service(
        name="projection",
        routers=SERVICE.routers,
        codec=CODEC,
        open_api=open_api,
        open_work=open_work,
        texts=SERVICE.texts,
        refusal_page=SERVICE.refusal_page,
    )
    configure_telemetry(settings, "desk")
    app = api_app([service], settings, people=people())
    app.state.projection = Projection(engine, SimulatedClock(NOW), Cursors(bytes(32)))
    return app


async def serve(port: int) -> None:
    infra = Infra("embedded")
    databases = Databases(infra.postgres)
    engine = connect(databases())
    story = Story()
    tell(story, build())
    await project(engine, story)
    print(f"{story.head} events; http://127.0.0.1:{port}/", flush=True)
    app = desk_app(engine, Path(tempfile.mkdtemp()), f"http://127.0.0.1:{port}", port)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, lifespan="off", log_config=None)
    try:
        await uvicorn.Server(config).serve()
    finally:
        await engine.dispose()
        databases.drop_all()
        infra.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8123))
