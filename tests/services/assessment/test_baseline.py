"""When a baseline is opened, and by when it is due."""

from datetime import date
from pathlib import Path

import pytest
from xiapai_contracts.assessment import AbilityBaselineOpened
from xiapai_contracts.terms import Category

from chassis.dated import BadRules
from services.assessment.baseline import BASELINE, OpenBaseline
from services.assessment.rules import load
from tests.support.given import given

ARRIVED = date(2026, 3, 15)


def arrived(on: date = ARRIVED, due_days: int = 30) -> OpenBaseline:
    return OpenBaseline(
        posting="P1",
        person="R1",
        sender="BUREAU",
        host="VILLAGE",
        arrived=on,
        due_days=due_days,
        category=Category.RURAL_GUIDE,
    )


def opened(due: date) -> AbilityBaselineOpened:
    return AbilityBaselineOpened(
        baseline="P1",
        posting="P1",
        person="R1",
        sender="BUREAU",
        host="VILLAGE",
        opened_on=ARRIVED,
        due=due,
        category=Category.RURAL_GUIDE,
    )


def test_a_baseline_is_opened_on_the_day_of_arrival() -> None:
    given(BASELINE).when(arrived()).then(opened(date(2026, 4, 14)))
    given(BASELINE).when(arrived(due_days=0)).then(opened(ARRIVED))


def test_a_posting_has_one_baseline() -> None:
    given(BASELINE, opened(date(2026, 4, 14))).when(arrived(on=date(2026, 5, 1))).nothing()


def test_the_committed_rule_gives_thirty_days() -> None:
    assert load().on(ARRIVED).due_days == 30


def test_a_rule_of_another_shape_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("[[rule]]\nfrom = 2026-01-01\ndue_days = 367\n")
    with pytest.raises(BadRules, match="due_days"):
        load(file)
