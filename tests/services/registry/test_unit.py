from dataclasses import replace
from datetime import date

import pytest
from xiapai_contracts.registry import UnitClosed, UnitCorrected, UnitMerged, UnitMoved, UnitRenamed
from xiapai_contracts.terms import UnitKind

from services.registry.codes import make_credit_code
from services.registry.unit import (
    UNIT,
    ClosedUnit,
    CloseUnit,
    CorrectUnit,
    MergedUnit,
    MergeUnit,
    MoveUnit,
    NoUnit,
    Place,
    RegisterUnit,
    RenameUnit,
    UnitDetails,
)
from tests.services.registry.words import open_unit, registered
from tests.support.given import given

ON = date(2026, 4, 1)
DETAILS = UnitDetails("V1", "V1单位", UnitKind.VILLAGE, "T1")
TOWN = Place(open_unit("T1", UnitKind.TOWN, "D"), ("T1", "D"))
V1 = registered("V1", parent="T1")


def test_a_unit_is_registered_once() -> None:
    given(UNIT).when(RegisterUnit(DETAILS, TOWN)).then(V1)
    given(UNIT, V1).when(RegisterUnit(DETAILS, TOWN)).nothing()
    given(UNIT, V1).when(RegisterUnit(replace(DETAILS, name="别名"), TOWN)).refused("unit-already-registered")


def test_a_unit_needs_a_name() -> None:
    given(UNIT).when(RegisterUnit(replace(DETAILS, name="　"), TOWN)).refused("unit-name-missing")


def test_a_credit_code_whose_last_character_does_not_check_is_refused() -> None:
    right = make_credit_code("11990117" + "9A0000010")
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    assert given(UNIT).when(RegisterUnit(replace(DETAILS, credit_code=right), TOWN)).events
    given(UNIT).when(RegisterUnit(replace(DETAILS, credit_code=wrong), TOWN)).refused("uscc-check-digit")


@pytest.mark.parametrize(
    ("parent", "code"),
    [
        (NoUnit(), "parent-unknown"),
        (MergedUnit(UnitDetails("T1", "镇", UnitKind.TOWN), "T2", ON), "parent-merged"),
        (ClosedUnit(UnitDetails("T1", "镇", UnitKind.TOWN), ON), "parent-closed"),
    ],
)
def test_a_unit_hangs_only_beneath_an_open_unit(parent: object, code: str) -> None:
    above = Place(parent, ("T1",))  # type: ignore[arg-type]
    given(UNIT).when(RegisterUnit(DETAILS, above)).refused(code)
    given(UNIT, registered("V1", parent="T9")).when(MoveUnit("T1", ON, above)).refused(code)
    given(UNIT, registered("V1", parent="T9")).when(CorrectUnit(DETAILS, above)).refused(code)


def test_a_unit_never_hangs_beneath_itself() -> None:
    beneath = Place(open_unit("V2", parent="V1"), ("V2", "V1", "T1", "D"))
    given(UNIT, V1).when(MoveUnit("V2", ON, beneath)).refused("unit-tree-cycle")
    given(UNIT, V1).when(MoveUnit("V1", ON)).refused("unit-is-its-own-parent")
    given(UNIT).when(RegisterUnit(replace(DETAILS, parent="V1"))).refused("unit-is-its-own-parent")


def test_a_unit_moves_to_another_parent_and_to_the_root() -> None:
    given(UNIT, V1).when(MoveUnit("T2", ON, Place(open_unit("T2", UnitKind.TOWN), ("T2",)))).then(
        UnitMoved(unit="V1", parent="T2", on=ON)
    )
    given(UNIT, V1).when(MoveUnit(None, ON)).then(UnitMoved(unit="V1", parent=None, on=ON))
    given(UNIT, V1).when(MoveUnit("T1", ON, TOWN)).nothing()


def test_a_renamed_unit_keeps_its_code() -> None:
    given(UNIT, V1).when(RenameUnit("新村", ON)).then(UnitRenamed(unit="V1", name="新村", on=ON))
    given(UNIT, V1, UnitRenamed(unit="V1", name="新村", on=ON)).when(RenameUnit("新村", ON)).nothing()


def test_a_unit_merges_only_into_an_open_unit_that_does_not_lie_beneath_it() -> None:
    into = Place(open_unit("V2"), ("V2", "T1"))
    merged = UnitMerged(unit="V1", into="V2", on=ON)
    given(UNIT, V1).when(MergeUnit("V2", ON, into)).then(merged)
    given(UNIT, V1, merged).when(MergeUnit("V2", ON, into)).nothing()
    given(UNIT, V1, merged).when(MergeUnit("V3", ON, into)).refused("unit-merged", into="V2")
    given(UNIT, V1).when(MergeUnit("V1", ON, into)).refused("unit-merged-into-itself")
    given(UNIT, V1).when(MergeUnit("V2", ON, Place(NoUnit()))).refused("successor-unknown")
    given(UNIT, V1).when(MergeUnit("V2", ON, Place(open_unit("V2"), ("V2", "V1")))).refused("successor-lies-beneath")


def test_a_closed_unit_is_changed_by_corrections_alone() -> None:
    closed = UnitClosed(unit="V1", on=ON)
    given(UNIT, V1).when(CloseUnit(ON)).then(closed)
    given(UNIT, V1, closed).when(CloseUnit(ON)).nothing()
    given(UNIT, V1, closed).when(RenameUnit("新村", ON)).refused("unit-closed")
    given(UNIT, V1, closed).when(CorrectUnit(replace(DETAILS, poor_village=True), source="a.xlsx")).then(
        UnitCorrected(
            unit="V1",
            name="V1单位",
            kind=UnitKind.VILLAGE,
            parent="T1",
            poor_village=True,
            fields=("poor_village",),
            source="a.xlsx",
        )
    )


def test_a_correction_that_changes_nothing_records_nothing() -> None:
    given(UNIT, V1).when(CorrectUnit(DETAILS, TOWN)).nothing()


def test_what_is_not_registered_cannot_change() -> None:
    for command in (RenameUnit("新", ON), MoveUnit(None, ON), CloseUnit(ON), CorrectUnit(DETAILS)):
        given(UNIT).when(command).refused("unit-unknown")
