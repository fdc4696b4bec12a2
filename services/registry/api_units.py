"""单位 over HTTP."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from chassis.problems import NotFound
from services.registry.access import OFFICE, SEE_UNITS
from services.registry.answers import UnitNow
from services.registry.asking import Asking, Looking, Recorded, asks, looks
from services.registry.bodies import Merging, Moving, NewUnit, OnDay, Renaming, UnitBody
from services.registry.commands import units
from services.registry.unit import UNIT, ClosedUnit, CloseUnit, MergedUnit, MoveUnit, OpenUnit, RenameUnit, unit_stream

router = APIRouter(prefix="/api/registry", tags=["registry: units 单位"])
Office = Annotated[Asking, Depends(asks(OFFICE))]


@router.post("/units", status_code=201)
async def register_unit(body: NewUnit, asking: Office) -> Recorded:
    """单位登记: a unit enters the tree."""
    return await asking.record(unit_stream(body.unit), body.unit, units.register(body.details(body.unit)))


@router.post("/units/{unit:path}/correct")
async def correct_unit(unit: str, body: UnitBody, asking: Office) -> Recorded:
    """单位更正: the unit as it should have stood from the start."""
    return await asking.record(unit_stream(unit), unit, units.correct(body.details(unit)))


@router.post("/units/{unit:path}/rename")
async def rename_unit(unit: str, body: Renaming, asking: Office) -> Recorded:
    """单位更名."""
    return await asking.record(unit_stream(unit), unit, units.change(unit, RenameUnit(body.name, body.on)))


@router.post("/units/{unit:path}/move")
async def move_unit(unit: str, body: Moving, asking: Office) -> Recorded:
    """单位划转."""
    return await asking.record(unit_stream(unit), unit, units.move(unit, MoveUnit(body.parent, body.on)))


@router.post("/units/{unit:path}/merge")
async def merge_unit(unit: str, body: Merging, asking: Office) -> Recorded:
    """单位合并: its history follows the successor."""
    return await asking.record(unit_stream(unit), unit, units.merge(unit, body.into, body.on))


@router.post("/units/{unit:path}/close")
async def close_unit(unit: str, body: OnDay, asking: Office) -> Recorded:
    """单位撤销."""
    return await asking.record(unit_stream(unit), unit, units.change(unit, CloseUnit(body.on)))


@router.get("/units/{unit:path}", response_model=UnitNow)
async def unit_now(unit: str, looking: Annotated[Looking, Depends(looks(SEE_UNITS))]) -> dict[str, Any]:
    """The unit as it stands, with ``version`` and ``state`` (open, merged, closed)."""
    version, known = await looking.registry.desk.look(UNIT, unit_stream(unit))
    match known:
        case OpenUnit(details):
            return _said(details, version, "open")
        case MergedUnit(details, into, on):
            return _said(details, version, "merged", into, on)
        case ClosedUnit(details, on):
            return _said(details, version, "closed", None, on)
        case _:
            raise NotFound("not-found")


def _said(details: Any, version: int, state: str, into: str | None = None, on: date | None = None) -> dict[str, Any]:
    return asdict(details) | {"state": state, "into": into, "on": on, "version": version}
