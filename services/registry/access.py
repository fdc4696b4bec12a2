"""Who may do what, and how far each reaches: one table. A role that is not in a row gets 403, what lies beyond the reach
404, as if it did not exist."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from xiapai_contracts.terms import Category

from chassis.identity.principal import Principal, Role
from ledger.command import Reading
from ledger.decider import Refused
from services.registry.tree import line


class Reach(Enum):
    """How far a role reaches with a command."""

    ALL = auto()
    """The whole district."""
    SENDER = auto()
    """Where the sending unit lies in one's subtree."""
    HOST = auto()
    """Where the host lies in one's subtree."""
    EITHER_END = auto()
    """Where the sending unit or the host lies in one's subtree."""
    CATEGORY = auto()
    """A lead department's categories."""
    SELF = auto()
    """One's own record, or one's own posting."""


May = Mapping[Role, Reach]

OFFICE: Final[May] = {Role.OFFICE: Reach.ALL}
KEEP_PERSONS: Final[May] = {Role.OFFICE: Reach.ALL, Role.CLERK: Reach.SENDER}
PROPOSE: Final[May] = {Role.OFFICE: Reach.ALL, Role.DEPARTMENT: Reach.CATEGORY, Role.CLERK: Reach.SENDER}
DECIDE: Final[May] = {Role.OFFICE: Reach.ALL, Role.DEPARTMENT: Reach.CATEGORY}
RECEIVE: Final[May] = {Role.OFFICE: Reach.ALL, Role.CLERK: Reach.HOST}
SEE_UNITS: Final[May] = dict.fromkeys(Role, Reach.ALL)
SEE_PERSONS: Final[May] = {
    Role.OFFICE: Reach.ALL,
    Role.AUDITOR: Reach.ALL,
    Role.CLERK: Reach.SENDER,
    Role.LEADER: Reach.SENDER,
    Role.CADRE: Reach.SELF,
}
SEE_POSTINGS: Final[May] = {
    Role.OFFICE: Reach.ALL,
    Role.INSPECTOR: Reach.ALL,
    Role.AUDITOR: Reach.ALL,
    Role.DEPARTMENT: Reach.CATEGORY,
    Role.CLERK: Reach.EITHER_END,
    Role.LEADER: Reach.EITHER_END,
    Role.CADRE: Reach.SELF,
}


class OutOfScope(Refused):
    """There is no such thing, or it lies beyond one's reach: the two look the same from outside."""

    def __init__(self) -> None:
        super().__init__("not-found")


@dataclass(frozen=True, slots=True)
class Matter:
    """What a command is about, as far as reach depends on it. A person's own unit counts as ``sender``."""

    sender: str | None = None
    host: str | None = None
    category: Category | None = None
    person: str | None = None


async def check_reach(reading: Reading, who: Principal, may: May, matter: Matter) -> None:
    """Raises :class:`OutOfScope` unless ``who``, whose role stands in ``may``, reaches so far. By today's tree."""
    match may[who.role]:
        case Reach.ALL:
            reaches = True
        case Reach.CATEGORY:
            reaches = matter.category in who.categories
        case Reach.SELF:
            reaches = matter.person is not None and matter.person == who.person
        case Reach.SENDER:
            reaches = await _within(reading, who.unit, matter.sender)
        case Reach.HOST:
            reaches = await _within(reading, who.unit, matter.host)
        case Reach.EITHER_END:
            reaches = await _within(reading, who.unit, matter.sender) or await _within(reading, who.unit, matter.host)
    if not reaches:
        raise OutOfScope


async def _within(reading: Reading, top: str | None, unit: str | None) -> bool:
    return top is not None and unit is not None and top in await line(reading, unit)
