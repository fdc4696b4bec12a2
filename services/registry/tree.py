"""The tree of units as it stands today, read unit by unit."""

from ledger.command import Reading
from services.registry.unit import UNIT, ClosedUnit, MergedUnit, OpenUnit, Place, Unit, unit_stream


async def unit(reading: Reading, code: str, *, new: bool = False) -> Unit:
    """The state of a unit; ``new`` where it is to be registered (:meth:`ledger.command.Reading.state`)."""
    return await reading.state(UNIT, unit_stream(code), new=new)


async def line(reading: Reading, code: str) -> tuple[str, ...]:
    """The codes from a unit up to the root; from a merged unit on, its successor's line. All of it becomes expected,
    so two moves that only together make a circle cannot both be recorded."""
    above: dict[str, None] = {}
    now: str | None = code
    while now is not None and now not in above:
        above[now] = None
        match await unit(reading, now):
            case OpenUnit(details) | ClosedUnit(details):
                now = details.parent
            case MergedUnit(_, into):
                now = into
            case _:
                now = None
    return tuple(above)


async def place(reading: Reading, code: str | None) -> Place | None:
    """A unit with the line above it; None for None."""
    return None if code is None else Place(await unit(reading, code), await line(reading, code))
