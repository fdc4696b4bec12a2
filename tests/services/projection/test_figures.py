"""The figures of the situation report, each rule with a case made by hand."""

from datetime import date, timedelta
from typing import Any

from xiapai_contracts.registry import (
    HostChanged,
    PostingCorrected,
    PostingEndedEarly,
    PostingExtended,
    PostingRecalled,
    TermCompleted,
    UnitCorrected,
    UnitMerged,
)
from xiapai_contracts.terms import Category, Mode, RecallGround, Tier, UnitKind

from services.projection.builds import reading
from services.projection.cut import cut_at, newest_cut
from services.projection.figures import Period, figures
from services.projection.lens import Lens
from services.projection.scope import Scope
from tests.services.projection.story import JAN, JUN, Reader, Story

FIRST = date(2026, 1, 1)
ALL = Scope("all")


async def fill(reader: Reader, day: date = JUN, scope: Scope = ALL, known: int | None = None) -> dict[int, Any]:
    """The values of all 42 blanks."""
    async with reading(reader.engine) as (connection, build):
        cut = await cut_at(connection, await newest_cut(connection, build.handler), known)
        found = await figures(connection, Lens(cut, scope, date(2026, 7, 1)), Period(FIRST, day))
    return {figure.blank.n: figure.value for figure in found}


def district(story: Story) -> None:
    """A department, a town with two villages, a community."""
    story.unit("D1", UnitKind.DISTRICT_DEPARTMENT)
    story.unit("T1", UnitKind.TOWN)
    story.unit("V1", UnitKind.VILLAGE, "T1")
    story.unit("V2", UnitKind.VILLAGE, "T1")
    story.unit("C1", UnitKind.COMMUNITY, "T1")


async def test_a_cadre_who_has_arrived_counts_and_one_who_has_not_does_not(reader: Reader, story: Story) -> None:
    district(story)
    story.person("1"), story.person("2")
    story.post("P1", "1", "V1")
    story.post("P2", "2", "V2", arrived=None)
    await reader.read(story)
    found = await fill(reader)
    assert (found[6], found[7], found[17]) == (1, 1, 1)
    assert found[1] == found[8] == found[16] == 0


async def test_without_units_or_postings_a_counted_figure_is_owed_and_not_zero(reader: Reader, story: Story) -> None:
    district(story)
    await reader.read(story)
    assert set((await fill(reader)).values()) == {None}
    story.person("1")
    story.propose("P1", "1", "V1")
    await reader.read(story)
    found = await fill(reader)
    assert all(found[n] == 0 for n in range(1, 23))
    assert all(found[n] is None for n in range(23, 43))


async def test_both_ends_of_a_posting_and_of_the_half_year_are_included(reader: Reader, story: Story) -> None:
    district(story)
    ends = {"a": date(2025, 12, 31), "b": date(2026, 1, 1), "c": date(2026, 12, 31)}
    for code, day in ends.items():
        story.person(code)
        story.post(code, code, "V1", arrived=date(2025, 7, 1), starts=date(2025, 7, 1), ends=day)
    story.person("d"), story.person("e")
    story.post("d", "d", "V1", arrived=JUN)
    story.post("e", "e", "V1", arrived=JUN + timedelta(days=1))
    await reader.read(story)
    assert (await fill(reader))[6] == 3  # b, c and d
    assert (await fill(reader, JUN - timedelta(days=1)))[6] == 2


async def test_the_earlier_of_actual_and_planned_end_counts(reader: Reader, story: Story) -> None:
    district(story)
    for code in "abcd":
        story.person(code)
        story.post(code, code, "V1", arrived=date(2025, 7, 1), starts=date(2025, 7, 1), ends=date(2026, 3, 1))
    story.tell(PostingEndedEarly(posting="a", on=date(2025, 12, 31)))
    story.tell(PostingRecalled(posting="b", on=date(2026, 1, 1), ground=RecallGround.HEALTH))
    story.tell(TermCompleted(posting="c", on=date(2026, 3, 1)))
    await reader.read(story)
    assert (await fill(reader))[6] == 3
    story.tell(PostingExtended(posting="d", ends=date(2026, 9, 1)))
    await reader.read(story)
    assert (await fill(reader))[6] == 3


async def test_two_postings_one_after_the_other_are_one_person_in_the_later_category(
    reader: Reader, story: Story
) -> None:
    district(story)
    story.person("1")
    story.post("P2", "1", "V1", ends=date(2026, 3, 1))
    story.post("P1", "1", "C1", arrived=date(2026, 3, 2), category=Category.PARTY_LIAISON)
    await reader.read(story)
    found = await fill(reader)
    assert (found[6], found[7], found[8]) == (1, 0, 1)
    assert (found[17], found[18]) == (1, 1)  # both hosts were reached
    earlier = await fill(reader, date(2026, 3, 1))
    assert (earlier[6], earlier[7], earlier[8]) == (1, 1, 0)


async def test_on_equal_arrival_the_greatest_code_by_code_point_wins(reader: Reader, story: Story) -> None:
    district(story)
    story.person("1")
    # a locale would put B after a
    story.post("B", "1", "V1", category=Category.SUPPORT_DOCTOR)
    story.post("a", "1", "V1", category=Category.ENTERPRISE_LIAISON)
    await reader.read(story)
    found = await fill(reader)
    assert (found[6], found[11], found[14]) == (1, 0, 1)


async def test_one_person_counts_once_in_each_tier(reader: Reader, story: Story) -> None:
    district(story)
    story.person("1")
    story.post("P1", "1", "V1")
    story.post("P2", "1", "V1", tier=Tier.CITY, category=Category.SUPPORT_DOCTOR)
    await reader.read(story)
    found = await fill(reader)
    assert (found[1], found[4], found[6], found[7]) == (1, 1, 1, 1)
    assert found[17] == 1  # hosts are those of district postings


async def test_hosts_count_once_by_kind_and_some_kinds_not_at_all(reader: Reader, story: Story) -> None:
    district(story)
    kinds = {
        "S": UnitKind.SUBDISTRICT, "F": UnitKind.FARM, "M": UnitKind.MANAGEMENT_OFFICE, "H": UnitKind.TOWNSHIP_HOSPITAL,
        "K": UnitKind.VILLAGE_CLINIC, "L": UnitKind.SCHOOL, "E": UnitKind.ENTERPRISE, "Z": UnitKind.DEVELOPMENT_ZONE,
    }  # fmt: skip
    for code, kind in kinds.items():
        story.unit(code, kind)
    for number, host in enumerate([*kinds, "T1", "T1", "D1"]):
        story.post(f"P{number}", story.person(str(number)), host)
    await reader.read(story)
    found = await fill(reader)
    assert [found[n] for n in range(16, 23)] == [4, 0, 0, 1, 1, 1, 1]


async def test_a_host_that_was_merged_counts_where_the_posting_had_ended_and_else_its_successor(
    reader: Reader, story: Story
) -> None:
    district(story)
    for code in "12":
        story.person(code)
    story.post("P1", "1", "V1", ends=date(2026, 3, 31))
    story.post("P2", "2", "V1")
    story.tell(UnitMerged(unit="V1", into="V2", on=date(2026, 4, 1)))
    await reader.read(story)
    assert (await fill(reader))[17] == 2  # V1 for P1, V2 for P2
    assert (await fill(reader, date(2026, 3, 31)))[17] == 1
    story.tell(PostingEndedEarly(posting="P2", on=date(2026, 3, 31)))
    await reader.read(story)
    assert (await fill(reader))[17] == 1


async def test_a_host_merged_twice_counts_its_last_successor(reader: Reader, story: Story) -> None:
    district(story)
    story.person("1")
    story.post("P1", "1", "V1")
    story.tell(
        UnitMerged(unit="V1", into="V2", on=date(2026, 2, 1)), UnitMerged(unit="V2", into="C1", on=date(2026, 5, 1))
    )
    await reader.read(story)
    found, before = await fill(reader), await fill(reader, date(2026, 4, 30))
    assert (found[17], found[18]) == (0, 1)
    assert (before[17], before[18]) == (1, 0)


async def test_a_move_reaches_both_hosts_and_a_correction_only_the_right_one(reader: Reader, story: Story) -> None:
    district(story)
    story.person("1")
    story.post("P1", "1", "V1")
    story.tell(HostChanged(posting="P1", host="C1", on=date(2026, 5, 1)))
    await reader.read(story)
    moved, before = await fill(reader), await fill(reader, date(2026, 4, 30))
    assert (moved[17], moved[18]) == (1, 1)
    assert (before[17], before[18]) == (1, 0)
    story.tell(corrected("P1", "1", host="T1", fields=("host",)))
    await reader.read(story)
    found = await fill(reader)
    assert (found[16], found[17], found[18]) == (1, 0, 0)


def corrected(code: str, person: str, **other: Any) -> PostingCorrected:
    given: dict[str, Any] = {
        "tier": Tier.DISTRICT, "category": Category.RURAL_GUIDE, "sender": "D1", "host": "V1", "starts": JAN,
        "ends": date(2027, 12, 31), "basis": "广文〔2026〕3号", "mode": Mode.SECONDMENT, "duty": None, "direction": None,
        "sender_contact": None, "host_contact": None, "arrived_on": JAN, "ended_on": None, "end_reason": None, "fields": (),
    }  # fmt: skip
    return PostingCorrected(posting=code, person=person, **(given | other))


async def test_a_correction_changes_what_is_known_now_and_not_what_was_known(reader: Reader, story: Story) -> None:
    district(story)
    story.person("1")
    story.post("P1", "1", "V1")
    before = story.head
    story.tell(corrected("P1", "1", category=Category.SUPPORT_DOCTOR, arrived_on=JAN, fields=("category",)))
    story.tell(UnitCorrected(unit="V1", name="单位V1", kind=UnitKind.COMMUNITY, parent="T1", fields=("kind",)))
    await reader.read(story)
    now, then = await fill(reader), await fill(reader, known=before)
    assert (now[7], now[11], now[17], now[18]) == (0, 1, 0, 1)
    assert (then[7], then[11], then[17], then[18]) == (1, 0, 1, 0)


async def test_a_correction_can_take_the_arrival_back(reader: Reader, story: Story) -> None:
    district(story)
    story.person("1")
    story.post("P1", "1", "V1")
    story.tell(corrected("P1", "1", arrived_on=None, fields=("arrived_on",)))
    await reader.read(story)
    assert (await fill(reader))[6] == 0


async def test_documents_count_postings_with_brackets_made_equal(reader: Reader, story: Story) -> None:
    district(story)
    for number, basis in enumerate(
        ["广文[2026]3号", "广文（2026）3号", "广文〔2026〕3号", "广文〔2026〕10号", "广文(2026)10 号"]
    ):
        story.post(f"P{number}", story.person(str(number)), "V1", basis=basis)
    await reader.read(story)
    found = await fill(reader)
    assert (found[23], found[24]) == (2026, 3)


async def test_of_documents_cited_equally_often_the_newest_counts(reader: Reader, story: Story) -> None:
    district(story)
    for number, basis in enumerate(["广文〔2025〕99号", "广文〔2026〕9号", "广文〔2026〕10号"]):
        story.post(f"P{number}", story.person(str(number)), "V1", basis=basis)
    story.post("P9", "1", "V1", tier=Tier.CITY, basis="市文〔2026〕77号")
    await reader.read(story)
    found = await fill(reader)
    assert (found[23], found[24]) == (2026, 10)


async def test_a_host_left_on_the_day_of_arrival_was_never_reached(reader: Reader, story: Story) -> None:
    district(story)
    story.person("1")
    story.post("P1", "1", "V1")
    story.tell(HostChanged(posting="P1", host="C1", on=JAN))
    await reader.read(story)
    found = await fill(reader)
    assert (found[17], found[18]) == (0, 1)
