"""Spelling, documents, timelines, half-years, the table of blanks, and two workers at one person."""

import asyncio
from datetime import date

import pytest
from sqlalchemy import text
from xiapai_contracts.registry import UnitRenamed
from xiapai_contracts.terms import CATEGORIES, Tier, UnitKind

from services.projection import events
from services.projection.blanks import BLANKS, COUNTED
from services.projection.builds import use
from services.projection.documents import document
from services.projection.halfyear import HalfYear
from services.projection.spelling import spell
from services.projection.tables import MANY, insert, latest_of, like
from services.projection.timeline import Timeline
from services.projection.units import Unit, evolve, units
from tests.services.projection.story import NOW, Reader, Story


@pytest.mark.parametrize(
    ("name", "spelt", "initials"),
    [
        ("单田芳", "shan tian fang", "stf"),
        ("仇英", "qiu ying", "qy"),
        ("解晓东", "xie xiao dong", "xxd"),
        ("单于明", "chan yu ming", "cym"),
        ("欧阳修", "ou yang xiu", "oyx"),
        ("吕布", "lv bu", "lb"),
        ("殷红文", "yin hong wen", "yhw"),
        ("单", "dan", "d"),
        ("John Smith", "john smith", "js"),
        ("", "", ""),
    ],
)
def test_a_surname_is_read_as_a_surname(name: str, spelt: str, initials: str) -> None:
    found = spell(name)
    assert (found.spelt, found.initials) == (spelt, initials)


@pytest.mark.parametrize(
    "written",
    [
        "广文〔2026〕3号",
        "广文[2026]3号",
        "广文（2026）3号",
        "广文(2026) 3 号",
        "广文〔２０２６〕第３号",
        "广文【2026】03号",
    ],
)
def test_one_document_written_in_several_ways_is_one(written: str) -> None:
    found = document(written)
    assert (found.text, found.year, found.serial) == ("广文〔2026〕3号", 2026, 3)


def test_a_basis_without_a_number_is_a_document_without_a_year() -> None:
    assert document("区委常委会会议纪要").year is None


def test_a_change_holds_until_the_next_one_however_late_it_became_known() -> None:
    names = Timeline.always("甲").change(date(2026, 5, 1), "丙").change(date(2026, 3, 1), "乙")
    assert names.values == ("甲", "乙", "丙")
    assert names.change(date(2026, 3, 1), "丁").values == ("甲", "丁", "丙")
    assert names.last == "丙"


def test_a_half_year_is_written_with_its_year() -> None:
    first, second = HalfYear.read("2026H1"), HalfYear.read("2026H2")
    assert first is not None and second is not None
    assert (first.first, first.last) == (date(2026, 1, 1), date(2026, 6, 30))
    assert (second.first, second.last) == (date(2026, 7, 1), date(2026, 12, 31))
    assert HalfYear.of(first.last) == first and HalfYear.of(second.first) == second
    assert HalfYear.read("2026H3") is HalfYear.read("2026") is HalfYear.read("２０２６H1") is None


def test_the_blanks_are_42_and_the_first_24_are_counted() -> None:
    assert [blank.n for blank in BLANKS] == list(range(1, 43))
    assert [blank.n for blank in COUNTED] == list(range(1, 25))
    assert all(blank.owed_by and blank.unit and blank.phrase for blank in BLANKS)
    for total, first, tier in ((1, 2, Tier.CITY), (6, 7, Tier.DISTRICT)):
        parts = [b.people.category for b in BLANKS[first - 1 : first - 1 + len(CATEGORIES[tier])] if b.people]
        assert tuple(parts) == CATEGORIES[tier]
        assert BLANKS[total - 1].people is not None


@pytest.mark.parametrize("count", [1, MANY])
async def test_arrays_and_patterns_carry_any_sign(reader: Reader, count: int) -> None:
    nasty = ['a"b', "a\\b", "{x,y}", "NULL", "", " ", "号'", None]
    async with reader.engine.begin() as connection:
        await use(connection, reader.build)
        since = tuple(date(2026, 1, 1 + day) for day in range(len(nasty)))
        for position, told in enumerate(nasty, 1):
            row = (
                "U1",
                position,
                None,
                NOW,
                "village",
                told,
                False,
                told,
                since,
                tuple(nasty),
                since[:1],
                (None,),
                None,
                told,
                None,
            )
            others = [(f"{position}-{n}", *row[1:]) for n in range(count - 1)]
            await insert(connection, units, [row, *others])
            (found,) = await latest_of(connection, units, ["U1"])
            assert tuple(found) == (*row[:8], list(since), nasty, [since[0]], [None], None, told, None)
        for sign in ("%", "_", "\\", "a\\_b%"):
            statement = text("SELECT CAST(:it AS text) LIKE CAST(:p AS text)")
            assert await connection.scalar(statement, {"it": sign, "p": like(sign)})
            assert not await connection.scalar(statement, {"it": "other", "p": like(sign)})


async def test_many_rows_and_few_say_the_same(reader: Reader) -> None:
    unit = Unit("U", 1, NOW, UnitKind.VILLAGE, None, False, None, Timeline.always("号"), Timeline.always(None))
    unit = evolve(unit, UnitRenamed(unit="U", name="\\N", on=date(2026, 1, 1)))
    async with reader.engine.begin() as connection:
        await use(connection, reader.build)
        await insert(connection, units, [("U", *unit.row(None)[1:])])
        await insert(connection, units, [(f"U{n}", *unit.row(None)[1:]) for n in range(MANY)])
        columns = ", ".join(column.name for column in units.columns if column.name != "unit")
        alike = text(f"SELECT count(*) FROM units GROUP BY {columns}")
        assert (await connection.scalars(alike)).all() == [MANY + 1]


@pytest.mark.parametrize("count", [2, 3 * MANY])
async def test_events_that_come_again_stay_as_they_are(reader: Reader, story: Story, count: int) -> None:
    for number in range(count):
        story.person(str(number), "单田芳")
    told = story.delivered()
    await reader.take(told[::2])
    async with reader.engine.begin() as connection:
        await use(connection, reader.build)
        await connection.execute(text("UPDATE events SET name = 'first'"))
        await events.project(connection, told)
        found = (await connection.execute(text("SELECT position, name FROM events ORDER BY position"))).all()
    assert [position for position, _ in found] == sorted(item.meta.position for item in told)
    assert {name for _, name in found[::2]} == {"first"} and "first" not in {name for _, name in found[1::2]}


async def test_two_workers_with_the_two_halves_of_one_person_leave_a_name(reader: Reader, story: Story) -> None:
    for number in range(40):
        story.person(str(number), "单田芳")
    persons = [item for item in story.delivered() if item.topic == "registry.persons"]
    await asyncio.gather(reader.take(persons, 16), reader.take(reversed(story.keys), 16))
    async with reader.engine.connect() as connection:
        statement = text(
            f"SELECT count(*) FROM {reader.build.schema}.persons WHERE name = '单田芳' AND spelt IS NOT NULL"
        )
        assert await connection.scalar(statement) == 40
