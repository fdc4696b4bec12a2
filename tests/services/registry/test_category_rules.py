from datetime import date
from pathlib import Path

import pytest
from xiapai_contracts.terms import Category, UnitKind

from chassis.dated import BadRules
from services.registry.category_rules import DEFAULT, load


def test_a_police_officer_is_not_posted_to_a_clinic() -> None:
    rule = load().on(date(2026, 1, 1), Category.COMMUNITY_POLICE)
    assert rule.hosts == {UnitKind.COMMUNITY} and not rule.several


def test_doctors_and_enterprise_people_alone_may_hold_several_postings_at_once() -> None:
    rules = load()
    several = {category for category in Category if rules.on(date(2026, 1, 1), category).several}
    assert several == {Category.SUPPORT_DOCTOR, Category.ENTERPRISE_LEADER, Category.ENTERPRISE_LIAISON}


def test_a_later_table_takes_effect_on_its_day(tmp_path: Path) -> None:
    now = DEFAULT.read_text(encoding="utf-8")
    later = now.replace("2000-01-01", "2026-07-01").replace(
        'SUPPORT_TEACHER = { hosts = ["SCHOOL"], several = false }',
        'SUPPORT_TEACHER = { hosts = ["VILLAGE"], several = true }',
    )
    both = tmp_path / "rules.toml"
    both.write_text(later + now, encoding="utf-8")
    rules = load(both)
    assert rules.on(date(2026, 6, 30), Category.SUPPORT_TEACHER).hosts == {UnitKind.SCHOOL}
    assert rules.on(date(2026, 7, 1), Category.SUPPORT_TEACHER).hosts == {UnitKind.VILLAGE}
    assert rules.on(date(1990, 1, 1), Category.SUPPORT_TEACHER).hosts == {UnitKind.SCHOOL}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("from = 2000-01-01", "", "no date"),
        ('"SCHOOL"', '"SCHOLL"', "SCHOLL"),
        ("several = true", 'several = "ja"', "several"),
        ("RURAL_GUIDE", "RURAL_GUIDES", "RURAL_GUIDES"),
        ("RURAL_GUIDE = ", "# ", "lacks RURAL_GUIDE"),
        ('["SCHOOL"]', "[]", "no host"),
        ("[[rule]]", "[rule]", "rule"),
        ("[[rule]]", "[[rule", "cannot be read"),
    ],
)
def test_a_file_of_rules_that_does_not_hold_is_refused_with_the_remedy(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    bad = tmp_path / "rules.toml"
    bad.write_text(DEFAULT.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(BadRules) as refused:
        load(bad)
    assert says in str(refused.value)
