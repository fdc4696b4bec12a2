"""An arrival opens a baseline, once, and whoever may see it finds it."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from xiapai_contracts.assessment import BASELINES, AbilityBaselineOpened
from xiapai_contracts.terms import Category

from chassis.catalogue import mistakes
from chassis.identity.principal import Role
from services.assessment.__main__ import SERVICE
from services.assessment.texts import TEXTS
from tests.services.chain import ARRIVED, arrival, closed, correction, early_end
from tests.support.bench import Bench, api, bench, codes

REACTION, PROJECTION = "assessment-ability-baseline", "assessment-open-baselines"


@pytest.fixture
async def assessment(database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(SERVICE, database, tmp_path) as made:
        yield made


def test_the_texts_are_whole() -> None:
    assert mistakes(TEXTS) == []


async def test_an_arrival_opens_a_baseline_once(assessment: Bench) -> None:
    await assessment.deliver(REACTION, arrival(), arrival())
    await assessment.deliver(REACTION, arrival(), arrival(position=2), correction(position=3))
    assert await assessment.events() == [
        AbilityBaselineOpened(
            baseline="P1",
            posting="P1",
            person="R1",
            sender="BUREAU",
            host="VILLAGE",
            opened_on=ARRIVED,
            due=date(2026, 4, 14),
            category=Category.RURAL_GUIDE,
        )
    ]
    [recorded] = await assessment.ledger()
    assert recorded.stream == "baseline-P1" and recorded.cause == f"{REACTION}/{arrival().meta.id}"


async def test_a_correction_that_says_that_the_cadre_arrived_opens_one_too(assessment: Bench) -> None:
    await assessment.deliver(REACTION, correction(arrived_on=date(2026, 3, 20)))
    [event] = await assessment.events()
    assert event.opened_on == date(2026, 3, 20)


async def test_other_events_of_a_posting_open_nothing(assessment: Bench) -> None:
    await assessment.deliver(REACTION, correction(arrived_on=None), early_end(), closed())
    assert await assessment.ledger() == []


async def test_an_own_file_of_rules_replaces_the_committed_one(database: str, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[[rule]]\nfrom = 2000-01-01\ndue_days = 7\n")
    async with bench(SERVICE, database, tmp_path, baseline_rules=file) as made:
        await made.deliver(REACTION, arrival())
        [event] = await made.events()
    assert event.due == date(2026, 3, 22)


async def test_baselines_are_shown_within_one_s_scope(assessment: Bench) -> None:
    await assessment.deliver(
        REACTION,
        arrival(),
        arrival("P2", position=2, person="R2", sender="OTHER", category=Category.SUPPORT_DOCTOR, on=date(2026, 3, 1)),
    )
    await assessment.deliver(PROJECTION, *await assessment.published(BASELINES))
    await assessment.deliver(PROJECTION, *await assessment.published(BASELINES))
    async with api(assessment) as asked:
        office, clerk = asked.as_(Role.OFFICE), asked.as_(Role.CLERK, unit="BUREAU")
        listed = (await office.get("/api/assessment/baselines")).json()["items"]
        assert [item["baseline"] for item in listed] == ["P2", "P1"]
        assert listed[1] == {
            "baseline": "P1",
            "posting": "P1",
            "person": "R1",
            "sender": "BUREAU",
            "host": "VILLAGE",
            "category": "RURAL_GUIDE",
            "opened_on": "2026-03-15",
            "due": "2026-04-14",
            "status": "OPEN",
        }
        own = (await clerk.get("/api/assessment/baselines")).json()["items"]
        assert [item["baseline"] for item in own] == ["P1"]
        filtered = (await office.get("/api/assessment/baselines", person="R2", status="OPEN")).json()["items"]
        assert [item["baseline"] for item in filtered] == ["P2"]
        department = asked.as_(Role.DEPARTMENT, categories=["RURAL_GUIDE"])
        its = (await department.get("/api/assessment/baselines")).json()["items"]
        assert [item["baseline"] for item in its] == ["P1"], "of its categories alone"
        one = "/api/assessment/baselines/"
        assert codes([await department.get(one + "P1"), await department.get(one + "P2")]) == [200, 404]
        assert codes([await clerk.get(one + "P1"), await clerk.get(one + "P2")]) == [200, 404]
