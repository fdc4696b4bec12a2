"""Which report is owed first, and by when."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from xiapai_contracts.reporting import ReportScheduled
from xiapai_contracts.terms import Category

from chassis.dated import BadRules
from services.reporting.report import REPORT, ScheduleFirst
from services.reporting.rules import load
from tests.support.given import given


def first(arrived: date, ends: date = date(2028, 2, 29), every_months: int = 3, due_days: int = 10) -> ScheduleFirst:
    return ScheduleFirst(
        posting="P1",
        person="R1",
        sender="BUREAU",
        host="VILLAGE",
        arrived=arrived,
        ends=ends,
        every_months=every_months,
        due_days=due_days,
        category=Category.RURAL_GUIDE,
    )


def report(starts: date, ends: date, due: date) -> ReportScheduled:
    return ReportScheduled(
        report="P1-1",
        posting="P1",
        person="R1",
        sender="BUREAU",
        host="VILLAGE",
        number=1,
        period_starts=starts,
        period_ends=ends,
        due=due,
        category=Category.RURAL_GUIDE,
    )


MARCH = date(2026, 3, 15)


def test_the_first_report_covers_the_month_of_arrival_and_the_two_after_it() -> None:
    given(REPORT).when(first(MARCH)).then(report(MARCH, date(2026, 5, 31), date(2026, 6, 10)))


def test_a_period_runs_over_the_end_of_the_year_and_to_the_last_of_february() -> None:
    december = date(2027, 12, 31)
    given(REPORT).when(first(december)).then(report(december, date(2028, 2, 29), date(2028, 3, 10)))


def test_a_term_that_ends_earlier_ends_the_period() -> None:
    given(REPORT).when(first(MARCH, date(2026, 4, 20))).then(report(MARCH, date(2026, 4, 20), date(2026, 4, 30)))


def test_an_arrival_after_the_planned_end_is_reported_on_for_its_day() -> None:
    given(REPORT).when(first(MARCH, date(2026, 3, 1))).then(report(MARCH, MARCH, date(2026, 3, 25)))


def test_rhythm_and_delay_are_the_rule_s() -> None:
    given(REPORT).when(first(MARCH, every_months=1, due_days=0)).then(
        report(MARCH, date(2026, 3, 31), date(2026, 3, 31))
    )


def test_a_second_arrival_finds_the_report_scheduled() -> None:
    there = report(MARCH, date(2026, 5, 31), date(2026, 6, 10))
    given(REPORT, there).when(first(MARCH)).nothing()
    given(REPORT, there).when(first(date(2026, 4, 1))).nothing()


def test_the_committed_rules_ask_for_a_report_every_three_months_within_ten_days() -> None:
    rule = load().on(MARCH)
    assert (rule.every_months, rule.due_days) == (3, 10)


def test_the_rule_in_force_on_the_day_counts(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(
        "[[rule]]\nfrom = 2026-07-01\nevery_months = 1\ndue_days = 5\n"
        "[[rule]]\nfrom = 2025-01-01\nevery_months = 6\ndue_days = 20\n"
    )
    rules = load(file)
    months = [
        rules.on(day).every_months
        for day in (date(2024, 1, 1), date(2025, 1, 1), date(2026, 6, 30), date(2026, 7, 1), date(2030, 1, 1))
    ]
    assert months == [6, 6, 6, 1, 1]


@pytest.mark.parametrize(
    ("text", "saying"),
    [
        ("", "no [[rule]]"),
        ("rule = 3", "no [[rule]]"),
        ("rule = [3]", "no date `from`"),
        ("[[rule]]\nevery_months = 3\ndue_days = 10", "no date `from`"),
        ("[[rule]]\nfrom = 2026-01-01T00:00:00\nevery_months = 3\ndue_days = 10", "no date `from`"),
        ("[[rule]]\nfrom = 2026-01-01\nevery_months = 3", "due_days"),
        ("[[rule]]\nfrom = 2026-01-01\nevery_months = 0\ndue_days = 10", "every_months"),
        ("[[rule]]\nfrom = 2026-01-01\nevery_months = '3'\ndue_days = 10", "every_months"),
        ("[[rule]]\nfrom = 2026-01-01\nevery_months = 3\ndue_days = -1", "due_days"),
        ("[[rule]]\nfrom = 2026-01-01\nevery_month = 3\ndue_days = 1", "unknown field every_month"),
        ("[[rule]]\nfrom = 2026-01-01\nevery_months = 3\ndue_days = 1\n" * 2, "another rule"),
        ("[[rule", "cannot be read"),
    ],
)
def test_a_file_of_rules_that_does_not_hold_is_refused_with_its_place(tmp_path: Path, text: str, saying: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(BadRules) as refusal:
        load(file)
    assert saying in str(refusal.value) and str(file) in str(refusal.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    missing: Any = tmp_path / "none.toml"
    with pytest.raises(BadRules, match="cannot be read"):
        load(missing)
