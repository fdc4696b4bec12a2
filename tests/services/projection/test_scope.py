"""Nobody sees, counts or finds what lies outside their scope."""

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from xiapai_contracts.registry import UnitMerged
from xiapai_contracts.terms import Category, UnitKind

from chassis.identity.principal import Role
from tests.services.projection.asking import Asker, pages
from tests.services.projection.story import Reader, Story
from tests.services.projection.test_audit import histories


@pytest.fixture
def asker(reader: Reader) -> Asker:
    return Asker(reader)


async def told(reader: Reader, story: Story) -> None:
    """Two towns with a village each, two departments, one posting from each department to each village."""
    for town in "12":
        story.unit(f"D{town}", UnitKind.DISTRICT_DEPARTMENT)
        story.unit(f"T{town}", UnitKind.TOWN)
        story.unit(f"V{town}", UnitKind.VILLAGE, f"T{town}")
    for sender in "12":
        for host in "12":
            number = f"{sender}{host}"
            story.person(number, unit=f"D{sender}")
            category = Category.RURAL_GUIDE if host == "1" else Category.SUPPORT_TEACHER
            story.post(f"P{number}", number, f"V{host}", sender=f"D{sender}", category=category)
    await reader.read(story)


async def seen(asker: Asker) -> list[str]:
    return sorted(item["posting"] for page in await pages(asker, "/roster", status="any", limit=2) for item in page)


async def test_each_role_sees_its_own(reader: Reader, story: Story, asker: Asker) -> None:
    await told(reader, story)
    everything = ["P11", "P12", "P21", "P22"]
    for role in (Role.OFFICE, Role.INSPECTOR, Role.AUDITOR, Role.OPERATOR):
        assert await seen(asker.of(role)) == everything
    for role in (Role.CLERK, Role.LEADER):
        assert await seen(asker.of(role, unit="T1")) == ["P11", "P21"]
        assert await seen(asker.of(role, unit="D2")) == ["P21", "P22"]
        assert await seen(asker.of(role, unit="none")) == []
    assert await seen(asker.of(Role.DEPARTMENT, categories=frozenset({"SUPPORT_TEACHER"}))) == ["P12", "P22"]
    assert await seen(asker.of(Role.CADRE, person="21")) == ["P21"]


async def test_outside_of_the_scope_is_not_found(reader: Reader, story: Story, asker: Asker) -> None:
    await told(reader, story)
    asker.of(Role.CLERK, unit="T1")
    assert (await asker.get("/roster/P11")).status_code == 200
    assert await asker.refused("/roster/P12") == await asker.refused("/roster/nothing") == (404, "not-found")


async def test_figures_count_what_one_may_see_and_say_the_scope(reader: Reader, story: Story, asker: Asker) -> None:
    await told(reader, story)
    asker.of(Role.CLERK, unit="T1")
    said = await asker.ask("/situation/2026H1")
    assert {f["n"]: f["value"] for f in said["figures"]}[6] == 2
    assert said["scope"] == {"kind": "unit", "unit": "T1", "text": "单位T1 及其下级单位"}
    events = (await asker.ask("/situation/2026H1/figures/6/events"))["items"]
    assert {event["posting"] for event in events} == {"P11", "P21"}
    asker.of(Role.DEPARTMENT, categories=frozenset({"SUPPORT_TEACHER"}))
    said = await asker.ask("/situation/2026H1")
    assert said["scope"]["text"] == "支教教师"
    assert {f["n"]: f["value"] for f in said["figures"] if f["n"] in (6, 7, 12)} == {6: 2, 7: 0, 12: 2}


async def test_the_history_of_a_merged_unit_follows_its_successor(reader: Reader, story: Story, asker: Asker) -> None:
    await told(reader, story)
    story.tell(UnitMerged(unit="V1", into="V2", on=date(2026, 6, 1)))
    await reader.read(story)
    assert await seen(asker.of(Role.CLERK, unit="T1")) == []
    assert await seen(asker.of(Role.CLERK, unit="T2")) == ["P11", "P12", "P21", "P22"]
    assert await seen(asker.of(Role.CLERK, unit="V1")) == ["P11", "P21"]


async def test_a_merger_to_come_does_not_move_a_scope_yet(reader: Reader, story: Story, asker: Asker) -> None:
    await told(reader, story)
    story.tell(UnitMerged(unit="V1", into="V2", on=date(2026, 7, 2)))
    await reader.read(story)
    assert await seen(asker.of(Role.CLERK, unit="T1")) == ["P11", "P21"]


async def test_an_operator_sees_no_person(reader: Reader, story: Story, asker: Asker) -> None:
    await told(reader, story)
    asker.of(Role.OPERATOR)
    said = await asker.ask("/roster")
    assert {item["name"] for item in said["items"]} == {"＊＊＊"}
    assert {item["person"] for item in said["items"]} == {None}
    assert await asker.refused("/roster", q="张") == (403, "names-not-shown")
    one = await asker.ask("/roster/P11")
    events = await asker.ask("/situation/2026H1/figures/6/events")
    assert "张三" not in str(one) + str(events) and "'person': ['" not in str(one)
    assert {event["person"] for event in events["items"]} == {None}


@settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(history=histories(), unit=st.sampled_from(["U0", "U1", "U2", "U3"]))
async def test_what_a_clerk_sees_and_counts_is_part_of_the_whole(reader: Reader, history: list[Any], unit: str) -> None:
    story, asker = Story(), Asker(reader)
    for person in "12":
        story.person(person)
    story.tell(*history)
    await reader.clear()
    await reader.take(story.delivered())
    await reader.reach(story.head)
    whole = await everything(asker)
    part = await everything(asker.of(Role.CLERK, unit=unit))
    assert part["postings"].items() <= whole["postings"].items()
    for n in range(1, 23):
        assert (part["figures"][n] is None) == (whole["figures"][n] is None)
        if n in (1, 6, *range(16, 23)) and whole["figures"][n] is not None:
            assert part["figures"][n] <= whole["figures"][n]
    for tier, of in ((1, range(2, 6)), (6, range(7, 16))):
        for one in (whole, part):
            if one["figures"][tier] is not None:
                assert one["figures"][tier] == sum(one["figures"][n] for n in of)
    assert part["behind"] <= set(part["postings"])
    for posting in whole["postings"].keys() - part["postings"].keys():
        assert (await asker.get(f"/roster/{posting}")).status_code == 404
    # by hand: the posting's sender or one of its hosts stands, by today's tree, below the unit
    for posting, item in part["postings"].items():
        hosts = {stay["host"] for stay in (await hosts_of(asker, posting))}
        assert any(unit in above(history, one) for one in {item, *hosts})


async def everything(asker: Asker) -> dict[str, Any]:
    items = [item for page in await pages(asker, "/roster", status="any") for item in page]
    said = await asker.ask("/situation/2026H1")
    behind = await pages(asker, "/situation/2026H1/figures/6/events", limit=200)
    return {
        "postings": {item["posting"]: item["sender"] for item in items},
        "figures": {figure["n"]: figure["value"] for figure in said["figures"]},
        "behind": {event["posting"] for page in behind for event in page},
    }


async def hosts_of(asker: Asker, posting: str) -> list[dict[str, Any]]:
    history = (await asker.ask(f"/roster/{posting}"))["history"]
    hosts: list[dict[str, Any]] = [entry["changed"]["hosts"][1] for entry in history if "hosts" in entry["changed"]][-1]
    return hosts


def above(history: list[Any], unit: str) -> set[str]:
    """The units over this one by the tree of 2026-07-01, itself included, told from the events alone."""
    today, parents, heirs = date(2026, 7, 1), dict[str, dict[date, str | None]](), dict[str, str]()
    latest: dict[str, str | None] = {}
    for event in history:
        name = type(event).event_name
        if name == "unit.registered":
            parents[event.unit] = {date.min: event.parent}
            latest[event.unit] = event.parent
        elif name == "unit.moved":
            parents[event.unit][event.on] = event.parent
        elif name == "unit.corrected":
            changes = parents[event.unit]
            if changes[max(changes)] != event.parent:
                parents[event.unit] = {date.min: event.parent}
        elif name == "unit.merged" and event.on <= today:
            heirs[event.unit] = event.into
    found: set[str] = set()
    now: str | None = unit
    while now is not None and now not in found:
        found.add(now)
        changes = parents[now]
        now = heirs[now] if now in heirs else changes[max(day for day in changes if day <= today)]
    return found
