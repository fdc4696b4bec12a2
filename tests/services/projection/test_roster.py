"""Who is where: filters, names and pinyin, both times, erasure, order of arrival, pages."""

from datetime import date

import pytest
from xiapai_contracts.registry import (
    HostChanged,
    PersonCorrected,
    PostingDeclined,
    PostingRecalled,
    UnitMerged,
    UnitMoved,
    UnitRenamed,
)
from xiapai_contracts.terms import Category, RecallGround, Tier, UnitKind

from chassis.identity.principal import Role
from tests.services.projection.asking import Asker, pages
from tests.services.projection.story import Reader, Story


@pytest.fixture
def asker(reader: Reader) -> Asker:
    return Asker(reader)


def district(story: Story) -> None:
    story.unit("D1", UnitKind.DISTRICT_DEPARTMENT, name="教育局")
    story.unit("D2", UnitKind.DISTRICT_DEPARTMENT, name="卫生局")
    for town in "12":
        story.unit(f"T{town}", UnitKind.TOWN, name=f"第{town}镇")
        story.unit(f"V{town}", UnitKind.VILLAGE, f"T{town}", name=f"第{town}村")
    story.unit("C1", UnitKind.COMMUNITY, "T1")


def codes(items: list[dict[str, object]]) -> list[object]:
    return [item["posting"] for item in items]


async def test_the_roster_shows_who_serves_today_and_on_request_how_every_posting_stands(
    reader: Reader, story: Story, asker: Asker
) -> None:
    district(story)
    for number in "1234567":
        story.person(number)
    story.post("P1", "1", "V1")
    story.post("P2", "2", "V1", arrived=None)
    story.propose("P3", "3", "V1")
    story.propose("P4", "4", "V1")
    story.tell(PostingDeclined(posting="P4", reason="人手"))
    story.post("P5", "5", "V1", ends=date(2026, 6, 30))
    story.post("P6", "6", "V1")
    story.tell(PostingRecalled(posting="P6", on=date(2026, 6, 30), ground=RecallGround.HEALTH))
    await reader.read(story)
    said = await asker.ask("/roster")
    assert codes(said["items"]) == ["P1"]
    assert said["as_of"] == "2026-07-01"
    assert said["positions"] == {"registry": story.head} and isinstance(said["age_ms"], int)
    every = await asker.ask("/roster", status="any")
    assert {item["posting"]: item["status"] for item in every["items"]} == {
        "P1": "serving",
        "P2": "approved",
        "P3": "proposed",
        "P4": "declined",
        "P5": "lapsed",
        "P6": "ended",
    }
    some = await asker.ask("/roster", status=["lapsed", "ended"])
    assert sorted(map(str, codes(some["items"]))) == ["P5", "P6"]
    assert len((await asker.ask("/roster", as_of="2026-06-30"))["items"]) == 3
    assert len((await asker.ask("/roster", as_of="2026-01-09"))["items"]) == 0


async def test_each_filter_narrows_the_roster(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    for number in "1234":
        story.person(number)
    story.post("P1", "1", "V1")
    story.post("P2", "2", "C1", category=Category.PARTY_LIAISON)
    story.post("P3", "3", "V2", tier=Tier.CITY, category=Category.SUPPORT_TEACHER)
    story.post("P4", "4", "T1", sender="D2")
    await reader.read(story)

    async def found(**params: str) -> list[str]:
        return sorted(item["posting"] for item in (await asker.ask("/roster", **params))["items"])

    assert await found(unit="T1") == ["P1", "P2", "P4"]
    assert await found(unit="D2") == ["P4"]
    assert await found(unit="nowhere") == []
    assert await found(category="PARTY_LIAISON") == ["P2"]
    assert await found(tier="CITY") == ["P3"]
    assert await found(host_kind="VILLAGE") == ["P1", "P3"]
    assert await found(unit="T1", host_kind="VILLAGE") == ["P1"]


async def test_a_subtree_is_that_of_the_day_and_a_merged_unit_lies_in_its_successor(
    reader: Reader, story: Story, asker: Asker
) -> None:
    district(story)
    story.person("1"), story.person("2")
    story.post("P1", "1", "V1")
    story.post("P2", "2", "C1")
    story.tell(UnitMoved(unit="C1", parent="T2", on=date(2026, 5, 1)))
    story.tell(UnitMerged(unit="V1", into="V2", on=date(2026, 6, 1)))
    story.tell(UnitRenamed(unit="V2", name="新村", on=date(2026, 6, 15)))
    await reader.read(story)
    before = await asker.ask("/roster", unit="T1", as_of="2026-04-30")
    assert codes(before["items"]) == ["P1", "P2"]
    assert (await asker.ask("/roster", unit="T1"))["items"] == []
    now = await asker.ask("/roster", unit="T2")
    assert codes(now["items"]) == ["P1", "P2"]
    assert (now["items"][0]["host"], now["items"][0]["host_name"]) == ("V2", "新村")
    earlier = await asker.ask("/roster", unit="T2", as_of="2026-06-01")
    assert earlier["items"][0]["host_name"] == "第2村"


async def test_a_move_shows_the_old_host_until_the_day_before(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    story.post("P1", story.person("1"), "V1")
    known = story.head
    story.tell(HostChanged(posting="P1", host="V2", on=date(2026, 5, 1)))
    await reader.read(story)
    for day, host in (("2026-04-30", "V1"), ("2026-05-01", "V2")):
        assert (await asker.ask("/roster", as_of=day))["items"][0]["host"] == host
    unmoved = await asker.ask("/roster", known=f"registry@{known}")
    assert unmoved["items"][0]["host"] == "V1"
    assert unmoved["positions"] == unmoved["known_at"] == {"registry": known}


async def test_names_are_found_by_a_part_by_pinyin_and_by_initials_and_sorted_by_pinyin(
    reader: Reader, story: Story, asker: Asker
) -> None:
    district(story)
    names = {"1": "单田芳", "2": "仇小英", "3": "解大文", "4": "欧阳修", "5": "曾国", "6": "王%_"}
    for number, name in names.items():
        story.post(f"P{number}", story.person(number, name), "V1")
    await reader.read(story)

    async def found(q: str) -> list[str]:
        return [item["name"] for item in (await asker.ask("/roster", q=q))["items"]]

    assert await found("田芳") == ["单田芳"]
    assert await found("shan") == await found("Shan Tian") == await found("STF") == ["单田芳"]
    assert await found("dan") == []
    assert await found("qiu") == ["仇小英"]
    assert await found("xie") == ["解大文"]
    assert await found("zengguo") == ["曾国"]
    assert await found("%") == await found("_") == ["王%_"]
    assert await found("' OR 1=1 --") == []
    everyone = [item["name"] for item in (await asker.ask("/roster"))["items"]]
    assert everyone == ["欧阳修", "仇小英", "单田芳", "王%_", "解大文", "曾国"]


async def test_two_of_one_name_are_two_rows(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    for number in "12":
        story.post(f"P{number}", story.person(number, "张伟"), "V1")
    await reader.read(story)
    said = await asker.ask("/roster", q="张伟")
    assert [(item["posting"], item["person"]) for item in said["items"]] == [("P1", "1"), ("P2", "2")]


async def test_topics_may_come_in_any_order(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    story.post("P1", story.person("1", "单田芳"), "V1")
    events = story.delivered()
    postings = [item for item in events if item.topic == "registry.postings"]
    units = [item for item in events if item.topic == "registry.units"]
    persons = [item for item in events if item.topic == "registry.persons"]
    await reader.take(postings)
    await reader.park(persons[0])
    await reader.reach(story.head)
    said = await asker.ask("/roster")
    assert said["items"][0]["name"] is said["items"][0]["host_name"] is None
    assert codes((await asker.ask("/roster", known=f"registry@{story.head}"))["items"]) == ["P1"]
    assert (await asker.ask("/roster", q="shan"))["items"] == []
    await reader.take(persons)
    await reader.unpark()
    await reader.take(units)
    assert (await asker.ask("/roster"))["items"][0]["name"] is None
    await reader.take(story.keys)
    item = (await asker.ask("/roster", q="shan"))["items"][0]
    assert (item["name"], item["host_name"], item["sender_name"]) == ("单田芳", "第1村", "教育局")


async def test_nobody_is_missed_whose_name_is_opened_or_erased_between_two_pages(
    reader: Reader, story: Story, asker: Asker
) -> None:
    district(story)
    for number, name in enumerate(("丁一", "马二", "安三", "赵四"), 1):
        story.post(f"P{number}", story.person(str(number), name), "V1")
    opened = story.keys[:2]
    await reader.take(story.delivered())
    await reader.take(opened)
    await reader.reach(story.head)
    first = await asker.ask("/roster", limit="2")
    assert [item["name"] for item in first["items"]] == [None, None]
    await reader.take(story.keys[2:])
    story.erase("1")
    await reader.take(story.keys[-1:])
    rest = await asker.ask("/roster", limit="9", cursor=first["next"])
    assert [item["name"] for item in rest["items"]] == ["安三", "马二", "赵四", "已删除"]
    assert {"P1", "P2", "P3", "P4"} == set(codes(first["items"] + rest["items"]))


async def test_the_same_events_again_change_nothing(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    story.post("P1", story.person("1"), "V1")
    await reader.read(story)
    before = await asker.ask("/roster/P1")
    await reader.read(story)
    again = await asker.ask("/roster/P1")
    assert {**before, "age_ms": 0} == {**again, "age_ms": 0}


@pytest.mark.parametrize("key_first", [True, False])
async def test_an_erased_person_shows_as_erased_at_any_time_and_is_not_found(
    reader: Reader, story: Story, asker: Asker, key_first: bool
) -> None:
    district(story)
    story.post("P1", story.person("1", "单田芳"), "V1")
    known = story.head
    await reader.read(story)
    assert (await asker.ask("/roster", q="单"))["items"]
    story.erase("1")
    late = story.tell(PersonCorrected(person="1", sealed=story.sealed("1", "单新名")))
    gone, events = story.keys[-1:], story.delivered()[-2:]
    for items in (gone, events) if key_first else (events, gone):
        await reader.take(items)
    await reader.take(story.keys[:1])  # the key again, as a republishing relay may send it
    await reader.reach(late)
    assert (await asker.ask("/roster", q="单"))["items"] == []
    for params in ({}, {"known": f"registry@{known}"}, {"as_of": "2026-02-01"}):
        assert (await asker.ask("/roster", **params))["items"][0]["name"] == "已删除"
    async with reader.engine.connect() as connection:
        row = (await connection.exec_driver_sql(f"SELECT * FROM {reader.build.schema}.persons")).mappings().one()
    assert {name: value for name, value in row.items() if value} == {"person": "1", "erased": True, "sort": "~"} | (
        {"sealed_at": row["sealed_at"]} if row["sealed_at"] else {}
    )


async def test_contacts_are_named_until_they_are_erased(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    story.person("a", "甲"), story.person("b", "乙")
    story.post("P1", story.person("1"), "V1", sender_contact="a", host_contact="b")
    story.erase("b")
    await reader.read(story)
    item = (await asker.ask("/roster"))["items"][0]
    assert (item["sender_contact_name"], item["host_contact_name"]) == ("甲", "已删除")


async def test_a_name_corrected_is_found_by_the_new_one_alone(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    story.post("P1", story.person("1", "单田芳"), "V1")
    story.tell(PersonCorrected(person="1", sealed=story.sealed("1", "仇英"), fields=("name",)))
    await reader.read(story)
    assert (await asker.ask("/roster", q="shan"))["items"] == []
    assert len((await asker.ask("/roster", q="qy"))["items"]) == 1


async def test_pages_are_those_of_one_cut_while_postings_are_added(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    for number in range(7):
        story.post(f"P{number}", story.person(str(number), f"张{number}"), "V1")
    await reader.read(story)
    first = await asker.ask("/roster", limit=3)
    story.post("P0a", story.person("0a", "安一"), "V1")
    story.post("P9", story.person("9", "张9"), "V1")
    await reader.read(story)
    second = await asker.ask("/roster", limit=3, cursor=first["next"])
    third = await asker.ask("/roster", limit=3, cursor=second["next"])
    shown = [item["posting"] for page in (first, second, third) for item in page["items"]]
    assert shown == [f"P{number}" for number in range(7)]
    assert third["next"] is None and third["positions"] == first["positions"]
    assert sum(len(page) for page in await pages(asker, "/roster", limit=2)) == 9


async def test_a_cursor_belongs_to_its_query_and_its_reader(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    for number in "123":
        story.post(f"P{number}", story.person(number), "V1")
    await reader.read(story)
    cursor = (await asker.ask("/roster", limit=1))["next"]
    assert await asker.refused("/roster", cursor=cursor, tier="CITY") == (400, "cursor-malformed")
    assert await asker.refused("/roster", cursor=cursor[:-2]) == (400, "cursor-malformed")
    asker.of(Role.CLERK, unit="T1")
    assert await asker.refused("/roster", cursor=cursor) == (400, "cursor-malformed")


async def test_the_history_tells_what_became_known_and_what_it_changed(
    reader: Reader, story: Story, asker: Asker
) -> None:
    district(story)
    story.post("P1", story.person("1"), "V1")
    story.tell(HostChanged(posting="P1", host="V2", on=date(2026, 5, 1)))
    await reader.read(story)
    told = (await asker.ask("/roster/P1"))["history"]
    assert [entry["name"] for entry in told] == [
        "posting.proposed",
        "posting.approved",
        "posting.arrived",
        "posting.host-changed",
    ]
    assert told[1]["changed"] == {"approved": [False, True]}
    assert told[3]["changed"]["hosts"][1] == [
        {"host": "V1", "since": None},
        {"host": "V2", "since": "2026-05-01"},
    ]
    assert told[3]["by"] == "office-1" and told[3]["position"] == story.head
