"""Commands about units."""

from datetime import date

from ledger.claims import Claim
from ledger.command import Plan, PlanMaker, Reading
from services.registry import codes
from services.registry.access import OutOfScope
from services.registry.tree import place, unit
from services.registry.unit import (
    UNIT,
    CloseUnit,
    CorrectUnit,
    MergeUnit,
    MoveUnit,
    NoUnit,
    RegisterUnit,
    RenameUnit,
    UnitCommand,
    UnitDetails,
    unit_stream,
)

CREDIT_CODE = "credit-code"
"""The kind of claim that keeps a unified social credit code with one unit."""


def register(details: UnitDetails) -> PlanMaker:
    """单位登记."""

    async def plan(reading: Reading) -> Plan:
        command = RegisterUnit(details, await place(reading, details.parent))
        return await _decided(reading, details.unit, command, details)

    return plan


def correct(details: UnitDetails, source: str | None = None) -> PlanMaker:
    """单位更正."""

    async def plan(reading: Reading) -> Plan:
        command = CorrectUnit(details, await place(reading, details.parent), source)
        return await _decided(reading, details.unit, command, details)

    return plan


def change(code: str, command: RenameUnit | CloseUnit) -> PlanMaker:
    """单位更名, 单位撤销."""

    async def plan(reading: Reading) -> Plan:
        return await _decided(reading, code, command)

    return plan


def move(code: str, body: MoveUnit) -> PlanMaker:
    """单位划转."""

    async def plan(reading: Reading) -> Plan:
        command = MoveUnit(body.parent, body.on, await place(reading, body.parent))
        return await _decided(reading, code, command)

    return plan


def merge(code: str, into: str, on: date) -> PlanMaker:
    """单位合并."""

    async def plan(reading: Reading) -> Plan:
        successor = await place(reading, into)
        assert successor is not None
        return await _decided(reading, code, MergeUnit(into, on, successor))

    return plan


async def _decided(reading: Reading, code: str, command: UnitCommand, details: UnitDetails | None = None) -> Plan:
    known = await unit(reading, code, new=isinstance(command, RegisterUnit))
    if isinstance(known, NoUnit) and not isinstance(command, RegisterUnit):
        raise OutOfScope
    stream = unit_stream(code)
    events = UNIT.decide(command, known)
    claims, release = [], []
    if events and details is not None:
        if details.credit_code is None:
            release = [(CREDIT_CODE, stream)]
        else:
            claims = [Claim(CREDIT_CODE, codes.credit_code(details.credit_code), stream)]
    return Plan(events=[(stream, event) for event in events], claims=claims, release=release)
