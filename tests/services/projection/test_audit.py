"""The audit: an independent fold finds what a read model got wrong, and random histories project as they fold."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from xiapai_contracts.registry import (
    CadreArrived,
    HostChanged,
    PersonErased,
    PostingApproved,
    PostingClosed,
    PostingCorrected,
    PostingDeclined,
    PostingEndedEarly,
    PostingExtended,
    PostingProposed,
    PostingRecalled,
    TermCompleted,
    UnitClosed,
    UnitCorrected,
    UnitMerged,
    UnitMoved,
    UnitRegistered,
    UnitRenamed,
)
from xiapai_contracts.terms import CATEGORIES, EndReason, Mode, RecallGround, Tier, UnitKind
from xiapai_contracts.topics import CODEC

from ledger.append import Append, Appender
from services.projection import tables
from services.projection.audit import audit, ledger_events
from tests.services.projection.story import BEGAN, Reader, Story

TODAY = date(2026, 7, 1)
# few days and few persons, so that ties and borders are met
DAYS = st.sampled_from([date(2025, 12, 31), *(date(2026, m, d) for m in (1, 3, 6, 7) for d in (1, 2, 15, 30)), TODAY])
BASES = st.sampled_from(["广文[2026]3号", "广文〔2026〕3号", "广文（2026）10号", "市文〔2025〕9号", "会议纪要"])


@st.composite
def histories(draw: st.DrawFn) -> list[Any]:
    """What could happen to few units and persons, mostly as a registry would let it."""
    units = [f"U{n}" for n in range(draw(st.integers(2, 7)))]
    events: list[Any] = [
        UnitRegistered(
            unit=code,
            name=code,
            kind=draw(st.sampled_from(UnitKind)),
            parent=draw(st.sampled_from([None, *units[:n]])) if n else None,
        )
        for n, code in enumerate(units)
    ]
    merged: set[str] = set()
    postings: dict[str, PostingProposed] = {}
    for _ in range(draw(st.integers(1, 40))):
        what = draw(st.integers(0, 19))
        unit = draw(st.sampled_from(units))
        on = draw(DAYS)
        if what == 0 and units.index(unit) + 1 < len(units) and unit not in merged:
            # only ever into a later unit: no circles
            merged.add(unit)
            events.append(UnitMerged(unit=unit, into=draw(st.sampled_from(units[units.index(unit) + 1 :])), on=on))
        elif what == 1:
            above = draw(st.sampled_from([None, *units[: units.index(unit)]]))
            events.append(UnitMoved(unit=unit, parent=above, on=on))
        elif what == 2:
            events.append(UnitRenamed(unit=unit, name=draw(st.sampled_from("甲乙丙")), on=on))
        elif what == 3:
            events.append(UnitClosed(unit=unit, on=on))
        elif what == 4:
            events.append(UnitCorrected(unit=unit, name="甲", kind=draw(st.sampled_from(UnitKind)), parent=None))
        elif what <= 9 or not postings:
            tier = draw(st.sampled_from(Tier))
            code = draw(st.sampled_from("abAB")) + str(len(postings))
            postings[code] = PostingProposed(
                posting=code,
                person=draw(st.sampled_from("12")),
                tier=tier,
                category=draw(st.sampled_from(CATEGORIES[tier])),
                sender=draw(st.sampled_from(units)),
                host=unit,
                starts=on,
                ends=on + timedelta(days=draw(st.integers(0, 300))),
                basis=draw(BASES),
            )
            events.append(postings[code])
            if draw(st.integers(0, 3)):
                events += [PostingApproved(posting=code), _arrived(postings[code], on)]
        else:
            events.append(_later(draw, postings[draw(st.sampled_from(sorted(postings)))], unit, on))
    return events


def _arrived(p: PostingProposed, on: date) -> CadreArrived:
    return CadreArrived(
        posting=p.posting,
        on=on,
        person=p.person,
        host=p.host,
        sender=p.sender,
        tier=p.tier,
        category=p.category,
        ends=p.ends,
    )


def _later(draw: st.DrawFn, p: PostingProposed, unit: str, on: date) -> Any:
    code = p.posting
    arrived, ended = draw(st.none() | DAYS), draw(st.none() | DAYS)
    tier = draw(st.sampled_from(Tier))
    choices: list[Any] = [
        PostingApproved(posting=code),
        PostingDeclined(posting=code, reason="x"),
        _arrived(p, on),
        PostingExtended(posting=code, ends=on),
        HostChanged(posting=code, host=unit, on=on),
        TermCompleted(posting=code, on=on),
        PostingRecalled(posting=code, on=on, ground=RecallGround.OTHER),
        PostingEndedEarly(posting=code, on=on),
        PostingClosed(posting=code),
        PostingCorrected(
            posting=code,
            person=draw(st.sampled_from("12")),
            tier=tier,
            category=draw(st.sampled_from(CATEGORIES[tier])),
            sender=p.sender,
            host=unit,
            starts=p.starts,
            ends=on,
            basis=draw(BASES),
            mode=Mode.SECONDMENT,
            duty=None,
            direction=None,
            sender_contact=None,
            host_contact=None,
            arrived_on=arrived,
            ended_on=ended,
            end_reason=None if ended is None else EndReason.RECALLED,
            fields=("host",),
        ),
    ]
    return draw(st.sampled_from(choices))


@settings(
    max_examples=80,
    deadline=None,
    # each step of shrinking is a database of its own: minutes; the history that failed says enough
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(history=histories(), batch=st.integers(1, 40), many=st.sampled_from([2, tables.MANY]))
async def test_whatever_happens_the_read_models_say_what_the_fold_says(
    reader: Reader, history: list[Any], batch: int, many: int
) -> None:
    story = Story()
    for person in "12":
        story.person(person)
    story.tell(*history)
    await reader.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "MANY", many)  # so that rows are copied too
        await reader.take(story.delivered(), batch)
    await reader.reach(story.head)
    found = await audit(reader.engine, story.events, TODAY)
    assert found is not None
    assert found.difference is None
    assert found.position == story.head
    assert found.compared > 0


async def test_the_first_row_that_is_wrong_is_named(reader: Reader, story: Story) -> None:
    story.unit("D1", UnitKind.DISTRICT_DEPARTMENT)
    story.unit("V1", UnitKind.VILLAGE)
    for number in "123":
        story.post(f"P{number}", story.person(number), "V1")
    await reader.read(story)
    sound = await audit(reader.engine, story.events, TODAY)
    assert sound is not None and sound.difference is None
    async with reader.engine.begin() as connection:
        await connection.execute(
            text(f"UPDATE {reader.build.schema}.postings SET ended_on = '2026-03-01' WHERE posting = 'P2'")
        )
    found = await audit(reader.engine, story.events, TODAY)
    assert found is not None and found.difference is not None
    assert found.difference.where.endswith("posting P2 status")
    assert (found.difference.ledger, found.difference.model) == ("serving", "ended")


async def test_a_row_that_is_missing_is_named(reader: Reader, story: Story) -> None:
    story.unit("D1", UnitKind.DISTRICT_DEPARTMENT)
    story.unit("V1", UnitKind.VILLAGE)
    story.post("P1", story.person("1"), "V1")
    await reader.read(story)
    async with reader.engine.begin() as connection:
        await connection.execute(text(f"DELETE FROM {reader.build.schema}.postings"))
    found = await audit(reader.engine, story.events, TODAY)
    assert found is not None and found.difference is not None
    assert found.difference.where.endswith(" P1")
    assert found.difference.model == "None"


async def test_a_name_that_was_not_dropped_on_erasure_is_named(reader: Reader, story: Story) -> None:
    story.unit("V1", UnitKind.VILLAGE)
    story.post("P1", story.person("1"), "V1", sender="V1")
    await reader.read(story)
    story.tell(PersonErased(person="1", ground="request"))
    await reader.reach(story.head)
    found = await audit(reader.engine, story.events, TODAY)
    assert found is not None and found.difference is not None
    assert found.difference.where.endswith("posting P1 erased")


async def test_a_ledger_is_read_in_portions(database: str, reader: Reader) -> None:
    """On the ledger's own table, written by the ledger's own appender."""
    async with Appender(reader.engine, CODEC) as appender:
        for number in range(3):
            event = UnitRegistered(unit=f"U{number}", name="甲", kind=UnitKind.VILLAGE)
            append = Append(events=[(f"unit-U{number}", event)], by="office-1", at=BEGAN)
            await appender.append(append)
    assert [recorded.position async for recorded in ledger_events(reader.engine)(2)] == [1, 2]
    assert [recorded.position async for recorded in ledger_events(reader.engine)(9)] == [1, 2, 3]
