"""An arrival leads to a report, once, and whoever may see it finds it."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from xiapai_contracts.reporting import REPORTS, ReportScheduled
from xiapai_contracts.terms import Category
from xiapai_contracts.topics import CODEC

from chassis.catalogue import mistakes
from chassis.identity.principal import Role
from services.reporting.__main__ import SERVICE
from services.reporting.texts import TEXTS
from tests.services.chain import ARRIVED, arrival, closed, correction, early_end, scheduled
from tests.support.bench import TRACE, Api, Bench, api, bench, codes, delivered

REACTION, PROJECTION = "reporting-first-report", "reporting-due-reports"


@pytest.fixture
async def reporting(database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(SERVICE, database, tmp_path) as made:
        yield made


def test_the_texts_are_whole() -> None:
    assert mistakes(TEXTS) == []


async def test_an_arrival_schedules_the_first_report(reporting: Bench) -> None:
    await reporting.deliver(REACTION, arrival())
    assert await reporting.events() == [
        ReportScheduled(
            report="P1-1",
            posting="P1",
            person="R1",
            sender="BUREAU",
            host="VILLAGE",
            number=1,
            period_starts=ARRIVED,
            period_ends=date(2026, 5, 31),
            due=date(2026, 6, 10),
            category=Category.RURAL_GUIDE,
        )
    ]
    [recorded] = await reporting.ledger()
    assert recorded.stream == "report-P1-1" and recorded.by == f"reaction:{REACTION}"
    assert recorded.cause == f"{REACTION}/{arrival().meta.id}" and recorded.trace[3:35] == TRACE[3:35]
    assert recorded.at == reporting.tools.clock.now()


async def test_an_arrival_that_comes_again_has_one_effect(reporting: Bench) -> None:
    await reporting.deliver(REACTION, arrival(), arrival())
    await reporting.deliver(REACTION, arrival())
    async with bench(SERVICE, _address(reporting), _data(reporting)) as another:
        await another.deliver(REACTION, arrival())
    assert len(await reporting.ledger()) == 1


async def test_a_second_arrival_of_one_posting_changes_nothing(reporting: Bench) -> None:
    await reporting.deliver(REACTION, arrival(), arrival(position=2, on=date(2026, 4, 1)))
    await reporting.deliver(REACTION, correction(position=3, arrived_on=date(2026, 5, 1)))
    [event] = await reporting.events()
    assert event.period_starts == ARRIVED


async def test_a_correction_that_says_that_the_cadre_arrived_schedules_too(reporting: Bench) -> None:
    await reporting.deliver(REACTION, correction())
    [event] = await reporting.events()
    assert event.report == "P1-1" and event.period_starts == ARRIVED


async def test_other_events_of_a_posting_schedule_nothing(reporting: Bench) -> None:
    never, over = correction(arrived_on=None), correction("P2", ended_on=date(2026, 6, 1))
    await reporting.deliver(REACTION, never, over, early_end(), closed())
    assert await reporting.ledger() == []


async def test_hundreds_of_arrivals_are_taken_together(reporting: Bench) -> None:
    await reporting.deliver(REACTION, *(arrival(f"P{n}", position=n + 1) for n in range(300)))
    assert {event.posting for event in await reporting.events()} == {f"P{n}" for n in range(300)}


async def test_a_batch_with_an_arrival_that_cannot_be_recorded_fails_and_succeeds_without_it(reporting: Bench) -> None:
    bad = arrival("P\0", position=2)
    with pytest.raises(Exception, match=r"."):
        await reporting.deliver(REACTION, arrival(), bad, arrival("P3", position=3))
    await reporting.deliver(REACTION, arrival(), arrival("P3", position=3))
    assert sorted(event.posting for event in await reporting.events()) == ["P1", "P3"]


@pytest.fixture
async def asked(reporting: Bench) -> AsyncIterator[Api]:
    await reporting.deliver(
        REACTION,
        arrival("P1", position=1),
        arrival("P2", position=2, person="R2", sender="OTHER", host="TOWN", category=Category.SUPPORT_DOCTOR),
        arrival("P3", position=3, person="R3", sender="VILLAGE", host="SCHOOL", on=date(2026, 1, 2)),
    )
    published = await reporting.published(REPORTS)
    await reporting.deliver(PROJECTION, *published)
    await reporting.deliver(PROJECTION, *published)
    async with api(reporting) as made:
        yield made


async def test_a_report_is_shown_to_those_whom_it_concerns_and_to_the_office(asked: Api) -> None:
    path = "/api/reporting/reports/P1-1"
    may = [
        asked.as_(Role.OFFICE),
        asked.as_(Role.INSPECTOR),
        asked.as_(Role.AUDITOR),
        asked.as_(Role.CLERK, unit="BUREAU"),
        asked.as_(Role.LEADER, unit="VILLAGE"),
        asked.as_(Role.CADRE, person="R1"),
        asked.as_(Role.DEPARTMENT, categories=["RURAL_GUIDE"]),
    ]
    for reader in may:
        answer = await reader.get(path)
        assert answer.json() == {
            "report": "P1-1",
            "posting": "P1",
            "person": "R1",
            "sender": "BUREAU",
            "host": "VILLAGE",
            "category": "RURAL_GUIDE",
            "number": 1,
            "period_starts": "2026-03-15",
            "period_ends": "2026-05-31",
            "due": "2026-06-10",
            "status": "SCHEDULED",
        }


async def test_outside_one_s_scope_a_report_is_as_if_it_were_not_there(asked: Api) -> None:
    strangers = [asked.as_(Role.CLERK, unit="TOWN"), asked.as_(Role.CADRE, person="R2")]
    answers = [await reader.get("/api/reporting/reports/P1-1") for reader in strangers]
    answers.append(await asked.as_(Role.OFFICE).get("/api/reporting/reports/NONE-1"))
    assert codes(answers) == [404, 404, 404] and {answer.json()["code"] for answer in answers} == {"not-found"}


async def test_who_has_no_part_in_reports_is_refused(asked: Api) -> None:
    assert codes([await asked.as_(Role.OPERATOR).get("/api/reporting/reports")]) == [403]
    assert (await asked.client.get("/api/reporting/reports")).status_code == 401


async def test_reports_are_listed_by_due_day_within_one_s_scope(asked: Api) -> None:
    async def listed(role: Role, **scope: Any) -> list[str]:
        answer = await asked.as_(role, **scope).get("/api/reporting/reports")
        return [item["report"] for item in answer.json()["items"]]

    assert await listed(Role.OFFICE) == ["P3-1", "P1-1", "P2-1"]
    assert await listed(Role.CLERK, unit="VILLAGE") == ["P3-1", "P1-1"], "once as sender, once as host"
    assert await listed(Role.LEADER, unit="TOWN") == ["P2-1"]
    assert await listed(Role.CADRE, person="R3") == ["P3-1"]
    assert await listed(Role.CLERK, unit="NOWHERE") == []
    assert await listed(Role.DEPARTMENT, categories=["SUPPORT_DOCTOR"]) == ["P2-1"]
    assert await listed(Role.DEPARTMENT, categories=["SUPPORT_DOCTOR", "RURAL_GUIDE"]) == ["P3-1", "P1-1", "P2-1"]
    assert await listed(Role.DEPARTMENT, categories=["SUPPORT_TEACHER"]) == []


async def test_a_report_whose_event_said_no_category_is_of_no_department(reporting: Bench) -> None:
    first = {name: value for name, value in asdict(scheduled().event).items() if name != "category"}
    event = CODEC.decode("report.scheduled", 1, msgspec.json.encode(first))
    await reporting.deliver(PROJECTION, delivered(event, "report-P1-1", REPORTS))
    path = "/api/reporting/reports/P1-1"
    async with api(reporting) as asked:
        shown = await asked.as_(Role.OFFICE).get(path)
        assert shown.status_code == 200 and shown.json()["category"] is None
        assert (await asked.as_(Role.CLERK, unit="BUREAU").get(path)).status_code == 200
        assert (await asked.as_(Role.DEPARTMENT, categories=list(Category)).get(path)).status_code == 404


async def test_reports_are_filtered_and_paged(asked: Api) -> None:
    office = asked.as_(Role.OFFICE)
    filters: list[dict[str, Any]] = [{"posting": "P2"}, {"person": "R2"}, {"person": "R2", "status": "SCHEDULED"}]
    for params in filters:
        answer = (await office.get("/api/reporting/reports", **params)).json()
        assert [item["report"] for item in answer["items"]] == ["P2-1"] and answer["next"] is None
    seen, cursor = [], None
    while True:
        page = (await office.get("/api/reporting/reports", limit=1, **({"cursor": cursor} if cursor else {}))).json()
        seen += [item["report"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["P3-1", "P1-1", "P2-1"]


async def test_a_cursor_of_another_scope_or_filter_is_refused(asked: Api) -> None:
    cursor = (await asked.as_(Role.OFFICE).get("/api/reporting/reports", limit=1)).json()["next"]
    clerk = await asked.as_(Role.CLERK, unit="VILLAGE").get("/api/reporting/reports", cursor=cursor)
    other = await asked.as_(Role.OFFICE).get("/api/reporting/reports", cursor=cursor, posting="P1")
    broken = await asked.as_(Role.OFFICE).get("/api/reporting/reports", cursor="abc")
    assert {(answer.status_code, answer.json()["code"]) for answer in (clerk, other, broken)} == {
        (400, "cursor-malformed")
    }


async def test_bad_parameters_are_told(asked: Api) -> None:
    office = asked.as_(Role.OFFICE)
    for params in ({"status": "LATE"}, {"limit": 0}, {"limit": 201}, {"person": "x" * 65}):
        assert (await office.get("/api/reporting/reports", **params)).status_code == 422, params


async def test_what_a_reader_has_already_is_not_sent_again(asked: Api) -> None:
    office = asked.as_(Role.OFFICE)
    tag = (await office.get("/api/reporting/reports")).headers["etag"]
    assert (await office.get("/api/reporting/reports", headers={"If-None-Match": tag})).status_code == 304
    clerk = asked.as_(Role.CLERK, unit="VILLAGE")
    assert (await clerk.get("/api/reporting/reports", headers={"If-None-Match": tag})).status_code == 200


def _address(made: Bench) -> str:
    return made.tools.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def _data(made: Bench) -> Path:
    assert made.tools.settings.data is not None
    return made.tools.settings.data
