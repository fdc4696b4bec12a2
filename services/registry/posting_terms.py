"""What a posting states, and whether the rules allow it (R1, R4, R5, R12, R13, R19)."""

from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from xiapai_contracts.terms import CATEGORIES, TOWNSHIP_LEVEL, ZH, Category, ExchangeDirection, Mode, Tier, UnitKind

from ledger.decider import Refused
from services.registry.person import Cadre, ErasedPerson, NoPerson, Person
from services.registry.unit import ClosedUnit, MergedUnit, NoUnit, OpenUnit, Unit


@dataclass(frozen=True, slots=True)
class Terms:
    """A posting as proposed or corrected; days are inclusive. Contacts are numbers of persons, ``basis`` a 文号."""

    person: str
    tier: Tier
    category: Category
    sender: str
    host: str
    starts: date
    ends: date
    basis: str
    mode: Mode = Mode.SECONDMENT
    duty: str | None = None
    direction: ExchangeDirection | None = None
    sender_contact: str | None = None
    host_contact: str | None = None


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """``hosts``: kinds of unit that may take a cadre of a category. ``several``: several postings at once are allowed."""

    hosts: frozenset[UnitKind]
    several: bool


TERMS = tuple(field.name for field in fields(Terms))


@dataclass(frozen=True, slots=True)
class Facts:
    """What other streams know about a posting's terms, and the rule of its category on the day it starts."""

    cadre: Person
    sender: Unit
    host: Unit
    rule: CategoryRule


def values(terms: Terms) -> dict[str, Any]:
    """The fields of an event that carries the terms."""
    return {name: getattr(terms, name) for name in TERMS}


def check(terms: Terms, facts: Facts, *, new: bool) -> None:
    """Whether a cadre may be posted so. Of an erased person nothing ``new`` may be said; a correction may.

    Refused: ``category-not-of-tier``, ``ends-before-it-starts``, ``basis-missing``, ``direction-missing``,
    ``direction-not-allowed``, ``person-unknown``, ``person-erased``, ``person-not-a-cadre``, ``sender-unknown``,
    ``sender-merged``, ``sender-closed``, ``host-unknown``, ``host-merged``, ``host-closed``,
    ``host-kind-not-allowed``, ``direction-does-not-fit-host``.
    """
    if terms.category not in CATEGORIES[terms.tier]:
        raise Refused("category-not-of-tier", tier=terms.tier, category=terms.category)
    if terms.ends < terms.starts:
        raise Refused("ends-before-it-starts")
    if not terms.basis.strip():
        raise Refused("basis-missing")
    if terms.category is Category.TWO_WAY_EXCHANGE and terms.direction is None:
        raise Refused("direction-missing")
    if terms.category is not Category.TWO_WAY_EXCHANGE and terms.direction is not None:
        raise Refused("direction-not-allowed", category=terms.category)
    _check_cadre(terms.person, facts.cadre, new=new)
    _kind_of("sender", terms.sender, facts.sender, terms.starts)
    check_host(terms, facts.host, facts.rule, terms.starts)


def check_host(terms: Terms, host: Unit, rule: CategoryRule, on: date) -> None:
    """Whether ``host`` may take the cadre from day ``on``."""
    kind = _kind_of("host", terms.host, host, on)
    if kind not in rule.hosts:
        category, said = f"{ZH[terms.category]} {terms.category}", f"{ZH[kind]} {kind}"
        raise Refused("host-kind-not-allowed", category=category, host=terms.host, kind=said)
    fits = {
        ExchangeDirection.TO_GRASSROOTS: kind in TOWNSHIP_LEVEL,
        ExchangeDirection.TO_DEPARTMENT: kind is UnitKind.DISTRICT_DEPARTMENT,
    }
    if terms.direction is not None and not fits[terms.direction]:
        direction, said = f"{ZH[terms.direction]} {terms.direction}", f"{ZH[kind]} {kind}"
        raise Refused("direction-does-not-fit-host", direction=direction, host=terms.host, kind=said)


def check_arrival(terms: Terms, on: date) -> None:
    """Refused: ``arrived-outside-the-period``."""
    if not terms.starts <= on <= terms.ends:
        raise Refused("arrived-outside-the-period", starts=terms.starts, ends=terms.ends)


def check_end(terms: Terms, arrived_on: date | None, on: date) -> None:
    """An end after the planned one is taken: cadres are released late. Refused: ``ended-before-it-starts``,
    ``ended-before-arrival``."""
    if on < terms.starts:
        raise Refused("ended-before-it-starts", starts=terms.starts)
    if arrived_on is not None and on < arrived_on:
        raise Refused("ended-before-arrival", arrived=arrived_on)


def _check_cadre(number: str, cadre: Person, *, new: bool) -> None:
    match cadre:
        case Cadre():
            pass
        case ErasedPerson():
            if new:
                raise Refused("person-erased", person=number)
        case NoPerson():
            raise Refused("person-unknown", person=number)
        case _:
            raise Refused("person-not-a-cadre", person=number)


def _kind_of(end: str, code: str, unit: Unit, on: date) -> UnitKind:
    """The unit's kind, if it stands on day ``on``: a unit merged or closed later could still take part."""
    match unit:
        case NoUnit():
            raise Refused(f"{end}-unknown", unit=code)
        case MergedUnit(_, into, merged_on) if merged_on <= on:
            raise Refused(f"{end}-merged", unit=code, into=into)
        case ClosedUnit(_, closed_on) if closed_on <= on:
            raise Refused(f"{end}-closed", unit=code)
        case OpenUnit(details) | MergedUnit(details) | ClosedUnit(details):
            return details.kind
