"""What every answer of the query API has in common: vector, age, ETag, waiting, refusals; and the figures over HTTP."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from xiapai_contracts.registry import HostChanged, UnitMerged
from xiapai_contracts.terms import Category, UnitKind

from chassis.catalogue import mistakes
from chassis.identity.principal import Role
from services.projection import builds
from services.projection.api import _moves
from services.projection.desk.changes import Watch
from services.projection.texts import TEXTS
from tests.services.projection.asking import Asker, pages
from tests.services.projection.story import Reader, Story


@pytest.fixture
def asker(reader: Reader) -> Asker:
    return Asker(reader)


def district(story: Story) -> None:
    story.unit("D1", UnitKind.DISTRICT_DEPARTMENT)
    story.unit("T1", UnitKind.TOWN, name="东镇")
    story.unit("V1", UnitKind.VILLAGE, "T1")
    story.unit("V2", UnitKind.VILLAGE, "T1")


def test_every_text_says_what_is_the_matter_and_the_next_step() -> None:
    assert mistakes(TEXTS) == []


async def test_the_situation_has_all_42_figures_and_says_what_is_owed_and_by_whom(
    reader: Reader, story: Story, asker: Asker
) -> None:
    district(story)
    story.post("P1", story.person("1"), "V1")
    await reader.read(story)
    said = await asker.ask("/situation/2026H1")
    assert [figure["n"] for figure in said["figures"]] == list(range(1, 43))
    assert (said["period"], said["as_of"], said["scope"]["text"]) == ("2026H1", "2026-06-30", "全区")
    assert said["figures"][5] == {
        "n": 6, "value": 1, "display": "1", "unit": "名", "state": "reported", "owed_by": None,
        "phrase": "选派到基层帮助工作的干部共有_名",
    }  # fmt: skip
    assert said["figures"][37] == {
        "n": 38, "value": None, "display": "未填报", "unit": "%", "state": "owed", "owed_by": "区财政局",
        "phrase": "地方财政收入同比增长_",
    }  # fmt: skip
    assert all((f["state"] == "owed") == bool(f["owed_by"]) for f in said["figures"])


async def test_the_events_behind_a_figure_come_in_pages_in_the_ledgers_order(
    reader: Reader, story: Story, asker: Asker
) -> None:
    district(story)
    story.person("1"), story.person("2")
    story.post("P1", "1", "V1", ends=date(2026, 3, 1))
    story.post("P2", "1", "V2", arrived=date(2026, 3, 2), category=Category.SUPPORT_DOCTOR)
    story.post("P3", "2", "V1", arrived=None)
    await reader.read(story)
    found = [e for page in await pages(asker, "/situation/2026H1/figures/11/events", limit=2) for e in page]
    # all postings of the person whom the figure counts
    assert {event["posting"] for event in found} == {"P1", "P2"}
    assert [event["position"] for event in found] == sorted({event["position"] for event in found})
    assert found[0]["name"] == "posting.proposed" and found[0]["stream"] == "posting-P1"
    villages = (await asker.ask("/situation/2026H1/figures/17/events"))["items"]
    assert {event["stream"] for event in villages} == {"posting-P1", "posting-P2", "unit-V1", "unit-V2"}
    assert (await asker.ask("/situation/2026H1/figures/30/events"))["items"] == []
    assert await asker.refused("/situation/2026H1/figures/43/events") == (404, "figure-unknown")


async def test_as_known_at_a_moment_is_the_cut_of_that_moment(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    story.post("P1", story.person("1"), "V1")
    moment = story.recorded[-1].recorded_at
    known = story.head
    story.tell(HostChanged(posting="P1", host="V2", on=date(2026, 5, 1)))
    await reader.read(story)
    for written in (moment.isoformat(), moment.astimezone().isoformat(), (moment + timedelta(seconds=59)).isoformat()):
        said = await asker.ask("/situation/2026H1", known_at=written)
        assert said["known_at"] == said["positions"] == {"registry": known}
        assert {f["n"]: f["value"] for f in said["figures"]}[17] == 1
    assert (await asker.ask("/situation/2026H1"))["known_at"] == {"registry": story.head}
    before = await asker.ask("/situation/2026H1", known_at="2025-01-01T00:00:00+08:00")
    assert before["known_at"] == {"registry": 0}
    assert before["figures"][0]["state"] == "owed"


async def test_an_answer_shows_nothing_of_what_came_after_its_vector(
    reader: Reader, story: Story, asker: Asker
) -> None:
    district(story)
    story.post("P1", story.person("1"), "V1")
    known = story.head
    story.post("P2", story.person("2"), "V2")
    await reader.take(story.delivered())
    await reader.reach(known, newest=story.head)  # one partition is ahead of the others
    said = await asker.ask("/roster")
    assert said["positions"] == {"registry": known}
    assert [item["posting"] for item in said["items"]] == ["P1"]


async def test_a_partition_that_nobody_has_read_yet_holds_the_vector_back(
    reader: Reader, story: Story, asker: Asker
) -> None:
    district(story)
    await reader.read(story)
    async with reader.engine.begin() as connection:
        await connection.execute(text("DELETE FROM watermarks WHERE topic = 'registry.persons' AND partition = 5"))
    assert (await asker.ask("/units"))["positions"] == {"registry": 0}


async def test_the_age_is_that_of_the_markers_and_an_idle_ledger_is_not_old(
    reader: Reader, story: Story, asker: Asker
) -> None:
    district(story)
    await reader.read(story)
    await reader.reach(story.head, at=datetime.now(UTC) - timedelta(hours=2))
    assert (await asker.ask("/units"))["age_ms"] >= 7_200_000
    beat = text("UPDATE watermarks SET reached_at = now(), reached = :at WHERE topic = 'registry.heads'")
    async with reader.engine.begin() as connection:
        await connection.execute(beat, {"at": story.head})
    assert (await asker.ask("/units"))["age_ms"] < 60_000
    async with reader.engine.begin() as connection:
        await connection.execute(beat, {"at": story.head + 1})
    assert (await asker.ask("/units"))["age_ms"] >= 7_200_000


async def test_a_reader_waits_for_their_own_write(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    await reader.read(story)
    story.post("P1", story.person("1"), "V1")
    answer = asyncio.create_task(asker.get("/roster", headers={"After": f"registry@{story.head}"}))
    await asyncio.sleep(0.3)
    assert not answer.done()
    await reader.read(story)
    said = (await answer).json()
    assert [item["posting"] for item in said["items"]] == ["P1"]


async def test_who_waits_in_vain_is_told_so(
    reader: Reader, story: Story, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.projection.looking.PATIENCE_SECONDS", 0.2)
    district(story)
    await reader.read(story)
    ahead = f"registry@{story.head + 1}"
    assert await asker.refused("/roster", after=ahead) == (409, "not-yet-known")
    assert await asker.refused("/roster", known=ahead) == (409, "not-yet-known")


async def test_what_was_sent_already_is_not_sent_again_to_the_same_eyes(
    reader: Reader, story: Story, asker: Asker
) -> None:
    district(story)
    story.post("P1", story.person("1"), "V1")
    await reader.read(story)
    first = await asker.get("/roster")
    tag = first.headers["ETag"]
    assert first.headers["Position"] == f"registry@{story.head}"
    assert (await asker.get("/roster", headers={"If-None-Match": tag})).status_code == 304
    asker.of(Role.CLERK, unit="T1")
    other = await asker.get("/roster", headers={"If-None-Match": tag})
    assert other.status_code == 200 and other.json()["items"] == first.json()["items"]
    assert other.headers["ETag"] != tag
    asker.of(Role.OFFICE)
    story.tell(UnitMerged(unit="V1", into="V2", on=date(2026, 6, 1)))
    await reader.read(story)
    assert (await asker.get("/roster", headers={"If-None-Match": tag})).status_code == 200


@pytest.mark.parametrize(
    ("path", "params", "refusal"),
    [
        ("/situation/2026", {}, (422, "period-malformed")),
        ("/situation/2026H3", {}, (422, "period-malformed")),
        ("/situation/9999H2", {}, (422, "period-malformed")),
        ("/situation/2026H1", {"as_of": "2026-07-01"}, (422, "as-of-outside-period")),
        ("/situation/2026H1", {"as_of": "yesterday"}, (422, "input-invalid")),
        ("/situation/2026H1", {"known_at": "soon"}, (400, "known-malformed")),
        ("/situation/2026H1", {"known_at": "0001-01-01T00:00:00+14:00"}, (400, "known-malformed")),
        ("/situation/2026H1", {"known_at": "9999-12-31T23:59:59-12:00"}, (400, "known-malformed")),
        ("/situation/2026H1", {"known": "registry@x"}, (400, "after-malformed")),
        ("/situation/2026H1", {"known": "reporting@1"}, (400, "source-not-read")),
        ("/situation/2026H1", {"known": "registry@1", "known_at": "2026-01-01"}, (400, "known-twice")),
        ("/situation/2026H1/figures/x/events", {}, (422, "input-invalid")),
        ("/roster", {"limit": 0}, (422, "page-size-out-of-range")),
        ("/roster", {"limit": 201}, (422, "page-size-out-of-range")),
        ("/roster", {"category": "NONE"}, (422, "input-invalid")),
        ("/roster", {"q": "x" * 41}, (422, "input-invalid")),
        ("/roster", {"q": "a\x00b"}, (422, "input-invalid")),
        ("/roster", {"cursor": "nonsense"}, (400, "cursor-malformed")),
        ("/roster", {"after": "registry@-1"}, (400, "after-malformed")),
        ("/roster/a%00b", {}, (404, "not-found")),
        ("/coverage", {"period": "2026H9"}, (422, "period-malformed")),
        ("/coverage", {"tier": "PROVINCE"}, (422, "input-invalid")),
        ("/units", {"q": "\x00"}, (422, "input-invalid")),
    ],
)
async def test_bad_input_is_refused_by_name(
    asker: Asker, path: str, params: dict[str, str], refusal: tuple[int, str]
) -> None:
    assert await asker.refused(path, **params) == refusal


async def test_coverage_counts_hosts_by_kind_and_township(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    story.unit("C9", UnitKind.COMMUNITY)  # in no township
    for number, host in enumerate(("V1", "V1", "T1", "C9")):
        story.post(f"P{number}", story.person(str(number)), host)
    await reader.read(story)
    said = await asker.ask("/coverage", period="2026H1")
    kinds = {kind["kind"]: (kind["reached"], kind["total"]) for kind in said["kinds"]}
    assert kinds == {"TOWN": (1, 1), "VILLAGE": (1, 2), "COMMUNITY": (1, 1), "DISTRICT_DEPARTMENT": (0, 1)}
    by_town = {town["unit"]: town for town in said["townships"]}
    assert (by_town["T1"]["name"], by_town["T1"]["people"], by_town["T1"]["postings"]) == ("东镇", 3, 3)
    assert {kind["kind"]: kind["reached"] for kind in by_town[None]["kinds"]} == {
        "COMMUNITY": 1,
        "DISTRICT_DEPARTMENT": 0,
    }
    guides = next(c for c in said["categories"] if (c["tier"], c["category"]) == ("DISTRICT", "RURAL_GUIDE"))
    assert (guides["people"], guides["postings"], guides["hosts"]) == (4, 4, 3)
    one_day = await asker.ask("/coverage", as_of="2026-01-09")
    assert sum(kind["reached"] for kind in one_day["kinds"]) == 0


async def test_units_are_listed_by_parent_kind_and_name(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    story.tell(UnitMerged(unit="V1", into="V2", on=date(2026, 6, 1)))
    await reader.read(story)

    async def found(**params: str) -> list[str]:
        return [unit["unit"] for page in await pages(asker, "/units", limit=1, **params) for unit in page]

    assert await found() == ["D1", "T1", "V1", "V2"]
    assert await found(parent="") == ["D1", "T1"]
    assert await found(parent="T1") == ["V2"]
    assert await found(parent="T1", as_of="2026-05-31") == ["V1", "V2"]
    assert await found(q="东") == ["T1"]
    assert await found(kind="VILLAGE") == ["V1", "V2"]
    town = (await asker.ask("/units", q="T1"))["items"][0]
    assert (town["kind_name"], town["has_children"], town["parent"]) == ("镇", True, None)


async def test_without_a_build_that_this_program_reads_it_says_so(reader: Reader, asker: Asker) -> None:
    async with reader.engine.begin() as connection:
        await connection.execute(text("UPDATE builds SET version = version + 1"))
    assert await asker.refused("/roster") == (503, "read-models-not-built")


async def test_reads_go_on_while_builds_are_switched(reader: Reader, story: Story, asker: Asker) -> None:
    district(story)
    story.post("P1", story.person("1"), "V1")
    await reader.read(story)
    async with builds.reading(reader.engine) as (connection, before):
        async with reader.engine.begin() as other:
            fresh = await builds.begin(other)
        new = Reader(reader.engine, fresh)
        await new.read(story)
        async with reader.engine.begin() as other:
            await builds.switch(other, fresh)
        assert await connection.scalar(text("SELECT count(*) FROM postings WHERE known_to IS NULL")) == 1
    async with builds.reading(reader.engine) as (_, now):
        assert now.id == fresh.id != before.id
    assert (await asker.ask("/roster"))["items"][0]["posting"] == "P1"
    async with reader.engine.begin() as other:
        assert [build.id for build in await builds.sweep(other)] == []
        assert [build.id for build in await builds.sweep(other, timedelta(0))] == [before.id]


async def test_open_pages_are_told_when_the_vector_moves(reader: Reader, story: Story) -> None:
    district(story)
    await reader.read(story)
    moves = _moves(Watch(reader.engine))
    try:
        assert f'data: {{"positions":{{"registry":{story.head}}}}}' in await anext(moves)
        story.unit("V3", UnitKind.VILLAGE, "T1")
        await reader.read(story)
        assert f'"registry":{story.head}' in await anext(moves)
    finally:
        await moves.aclose()


@pytest.mark.parametrize("path", ["/roster", "/coverage", "/units", "/situation/2026H1"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_a_day_that_nobody_means_is_refused(asker: Asker, path: str, day: str) -> None:
    answer = await asker.get(path, as_of=day)
    assert answer.status_code == 422
    assert [(error["where"], error["code"]) for error in answer.json()["errors"]] == [
        ("query.as_of", "day-out-of-range")
    ]
