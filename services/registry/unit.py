"""单位: a unit of the tree (R5). Stream ``unit-<code>``.

A unit that was merged or closed still stood before that day, so a posting may start there until the day before.
Closing asks nothing of what lies beneath: children and running postings stay where they are, in the closed unit's
subtree, until the office moves them; an office that winds a unit up can do so in any order.
"""

from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from xiapai_contracts.registry import UnitClosed, UnitCorrected, UnitMerged, UnitMoved, UnitRegistered, UnitRenamed
from xiapai_contracts.terms import UnitKind

from ledger.decider import Decider, Refused
from services.registry import codes

UnitEvent = UnitRegistered | UnitCorrected | UnitRenamed | UnitMoved | UnitMerged | UnitClosed


def unit_stream(code: str) -> str:
    """``unit-<code>``."""
    return f"unit-{code}"


@dataclass(frozen=True, slots=True)
class UnitDetails:
    """What stands about a unit: ``division`` after GB/T 2260, ``credit_code`` after GB 32100."""

    unit: str
    name: str
    kind: UnitKind
    parent: str | None = None
    credit_code: str | None = None
    poor_village: bool = False
    division: str | None = None


DETAILS = tuple(field.name for field in fields(UnitDetails))


@dataclass(frozen=True, slots=True)
class NoUnit:
    """Nobody has registered it."""


@dataclass(frozen=True, slots=True)
class OpenUnit:
    """It exists."""

    details: UnitDetails


@dataclass(frozen=True, slots=True)
class MergedUnit:
    """Part of ``into`` from day ``on``."""

    details: UnitDetails
    into: str
    on: date


@dataclass(frozen=True, slots=True)
class ClosedUnit:
    """Gone from day ``on``."""

    details: UnitDetails
    on: date


Unit = NoUnit | OpenUnit | MergedUnit | ClosedUnit


@dataclass(frozen=True, slots=True)
class Place:
    """Where a unit would hang: the state of the unit there, and the codes of the whole line from it to the root."""

    unit: Unit
    line: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisterUnit:
    """``above`` is the parent's place, None at the root."""

    details: UnitDetails
    above: Place | None = None


@dataclass(frozen=True, slots=True)
class CorrectUnit:
    """The unit as it should have stood from the start; ``source`` names the file that says so."""

    details: UnitDetails
    above: Place | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class RenameUnit:
    name: str
    on: date


@dataclass(frozen=True, slots=True)
class MoveUnit:
    parent: str | None
    on: date
    above: Place | None = None


@dataclass(frozen=True, slots=True)
class MergeUnit:
    """``successor`` is the place of ``into``."""

    into: str
    on: date
    successor: Place


@dataclass(frozen=True, slots=True)
class CloseUnit:
    on: date


UnitCommand = RegisterUnit | CorrectUnit | RenameUnit | MoveUnit | MergeUnit | CloseUnit


def decide(command: UnitCommand, unit: Unit) -> list[UnitEvent]:
    """Refused: ``unit-unknown``, ``unit-already-registered``, ``unit-merged``, ``unit-closed``, ``unit-name-missing``,
    ``parent-unknown``, ``parent-merged``, ``parent-closed``, ``unit-is-its-own-parent``, ``unit-tree-cycle``,
    ``successor-unknown``, ``successor-merged``, ``successor-closed``, ``unit-merged-into-itself``,
    ``successor-lies-beneath``, and those of :mod:`services.registry.codes`."""
    match command, unit:
        case RegisterUnit(details, above), NoUnit():
            _check(details, above)
            return [UnitRegistered(**_values(details))]
        case RegisterUnit(details), OpenUnit(known) if details == known:
            return []
        case RegisterUnit(details), _:
            raise Refused("unit-already-registered", unit=details.unit)
        case CorrectUnit(details), NoUnit():
            raise Refused("unit-unknown", unit=details.unit)
        case CorrectUnit(details, above, source), OpenUnit(known) | MergedUnit(known) | ClosedUnit(known):
            changed = tuple(name for name in DETAILS if getattr(details, name) != getattr(known, name))
            if not changed:
                return []
            _check(details, above if "parent" in changed else None)
            return [UnitCorrected(**_values(details), fields=changed, source=source)]
        case MergeUnit(into, on), MergedUnit(_, known_into, known_on) if (into, on) == (known_into, known_on):
            return []
        case _, MergedUnit(details, into):
            raise Refused("unit-merged", unit=details.unit, into=into)
        case CloseUnit(on), ClosedUnit(_, closed_on) if on == closed_on:
            return []
        case _, ClosedUnit(details):
            raise Refused("unit-closed", unit=details.unit)
        case RenameUnit(name, on), OpenUnit(details):
            if not name.strip():
                raise Refused("unit-name-missing", unit=details.unit)
            return [] if name == details.name else [UnitRenamed(unit=details.unit, name=name, on=on)]
        case MoveUnit(parent, on, above), OpenUnit(details):
            if parent == details.parent:
                return []
            _check_parent(details.unit, parent, above)
            return [UnitMoved(unit=details.unit, parent=parent, on=on)]
        case MergeUnit(into, on, successor), OpenUnit(details):
            _check_successor(details.unit, into, successor)
            return [UnitMerged(unit=details.unit, into=into, on=on)]
        case CloseUnit(on), OpenUnit(details):
            return [UnitClosed(unit=details.unit, on=on)]
        case _:
            raise Refused("unit-unknown", unit="")


def evolve(unit: Unit, event: UnitEvent) -> Unit:
    """The unit after an event."""
    match event, unit:
        case UnitRegistered(), _:
            return OpenUnit(_details(event))
        case UnitCorrected(), OpenUnit() | MergedUnit() | ClosedUnit():
            return replace(unit, details=_details(event))
        case UnitRenamed(name=name), OpenUnit(details):
            return OpenUnit(replace(details, name=name))
        case UnitMoved(parent=parent), OpenUnit(details):
            return OpenUnit(replace(details, parent=parent))
        case UnitMerged(into=into, on=on), OpenUnit(details):
            return MergedUnit(details, into, on)
        case UnitClosed(on=on), OpenUnit(details):
            return ClosedUnit(details, on)
        case _:
            raise ValueError(f"{type(event).__name__} cannot follow {type(unit).__name__}")


UNIT: Decider[UnitCommand, Unit, UnitEvent] = Decider(NoUnit(), decide, evolve)


def _values(details: UnitDetails) -> dict[str, Any]:
    return {name: getattr(details, name) for name in DETAILS}


def _details(event: UnitRegistered | UnitCorrected) -> UnitDetails:
    return UnitDetails(**{name: getattr(event, name) for name in DETAILS})


def _check(details: UnitDetails, above: Place | None) -> None:
    if not details.name.strip():
        raise Refused("unit-name-missing", unit=details.unit)
    try:
        if details.credit_code is not None:
            codes.credit_code(details.credit_code)
        if details.division is not None:
            codes.division_code(details.division)
    except codes.BadCode as bad:
        raise Refused(bad.code, unit=details.unit) from None
    if above is not None or details.parent == details.unit:
        _check_parent(details.unit, details.parent, above)


def _check_parent(unit: str, parent: str | None, above: Place | None) -> None:
    if parent is None:
        return
    if parent == unit:
        raise Refused("unit-is-its-own-parent", unit=unit)
    match above:
        case Place(OpenUnit(), line):
            if unit in line:
                raise Refused("unit-tree-cycle", unit=unit, parent=parent)
        case Place(MergedUnit(_, into)):
            raise Refused("parent-merged", parent=parent, into=into)
        case Place(ClosedUnit()):
            raise Refused("parent-closed", parent=parent)
        case _:
            raise Refused("parent-unknown", parent=parent)


def _check_successor(unit: str, into: str, successor: Place) -> None:
    if into == unit:
        raise Refused("unit-merged-into-itself", unit=unit)
    match successor:
        case Place(OpenUnit(), line):
            # The history of a merged unit follows its successor: one beneath it would be above and beneath itself.
            if unit in line:
                raise Refused("successor-lies-beneath", unit=unit, into=into)
        case Place(MergedUnit()):
            raise Refused("successor-merged", into=into)
        case Place(ClosedUnit()):
            raise Refused("successor-closed", into=into)
        case _:
            raise Refused("successor-unknown", into=into)
