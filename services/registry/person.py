"""人员与干部: a natural person, perhaps a cadre with earlier posts (R5, R8-R10, R13). Stream ``person-<number>``.

Personal fields come sealed with the person's own key. A sealed text differs each time it is sealed, so which fields
changed is found where the key is, and comes in with the command.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from xiapai_contracts.registry import (
    CadreCorrected,
    CadreEnrolled,
    EarlierPostCorrected,
    EarlierPostRecorded,
    PersonCorrected,
    PersonErased,
    PersonRegistered,
)
from xiapai_contracts.terms import Rank, Sex

from ledger.decider import Decider, Refused
from services.registry.earlier_post import EarlierPost, decide_post, post_of
from services.registry.unit import ClosedUnit, MergedUnit, OpenUnit, Unit

PersonEvent = (
    PersonRegistered
    | PersonCorrected
    | CadreEnrolled
    | CadreCorrected
    | EarlierPostRecorded
    | EarlierPostCorrected
    | PersonErased
)


def person_stream(number: str) -> str:
    """``person-<number>``."""
    return f"person-{number}"


@dataclass(frozen=True, slots=True)
class CadreDetails:
    """What stands about a cadre besides the sealed fields; ``unit`` sends, ``party`` is 政治面貌."""

    unit: str
    rank: Rank
    duty: str | None = None
    sex: Sex | None = None
    party: str | None = None


DETAILS = tuple(item.name for item in fields(CadreDetails))


@dataclass(frozen=True, slots=True)
class NoPerson:
    """Nobody has registered the number."""


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """Registered; not a cadre (an accountable person, say)."""

    person: str
    sealed: str


@dataclass(frozen=True, slots=True)
class Cadre:
    """A cadre of a sending unit."""

    person: str
    sealed: str
    details: CadreDetails
    posts: dict[str, EarlierPost] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErasedPerson:
    """已删除: the key is gone."""

    person: str


Person = NoPerson | KnownPerson | Cadre | ErasedPerson


@dataclass(frozen=True, slots=True)
class RegisterPerson:
    """``differs`` names the personal fields that differ from those already sealed; empty where none are."""

    person: str
    sealed: str
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CorrectPerson:
    """``sealed`` as it should have stood; ``differs`` as in :class:`RegisterPerson`."""

    sealed: str
    differs: tuple[str, ...]
    source: str | None = None


@dataclass(frozen=True, slots=True)
class EnrolCadre:
    """``unit`` is the state of the sending unit."""

    details: CadreDetails
    unit: Unit


@dataclass(frozen=True, slots=True)
class CorrectCadre:
    details: CadreDetails
    unit: Unit
    source: str | None = None


@dataclass(frozen=True, slots=True)
class RecordEarlierPost:
    """``unit`` is the state of the unit that ``post`` names by code, None where it names none. An entry of the same
    unit, duty and start is corrected, with ``source``."""

    post: EarlierPost
    unit: Unit | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class ErasePerson:
    """``ground`` says why, in a word of the office; nothing personal."""

    ground: str


PersonCommand = RegisterPerson | CorrectPerson | EnrolCadre | CorrectCadre | RecordEarlierPost | ErasePerson


def decide(command: PersonCommand, person: Person) -> list[PersonEvent]:
    """Refused: ``person-unknown``, ``person-erased``, ``person-already-registered``, ``person-not-a-cadre``,
    ``cadre-already-enrolled``, ``unit-unknown``, ``unit-merged``, ``unit-closed``, ``erasure-ground-missing``, and
    those of :mod:`services.registry.earlier_post`."""
    match command, person:
        case RegisterPerson(number, sealed), NoPerson():
            return [PersonRegistered(person=number, sealed=sealed)]
        case ErasePerson(), ErasedPerson():
            return []
        case _, NoPerson():
            raise Refused("person-unknown")
        case _, ErasedPerson(number):
            raise Refused("person-erased", person=number)
        case RegisterPerson(_, _, differs), KnownPerson() | Cadre():
            if differs:
                raise Refused("person-already-registered", person=person.person)
            return []
        case CorrectPerson(sealed, differs, source), KnownPerson() | Cadre():
            if not differs:
                return []
            return [PersonCorrected(person=person.person, sealed=sealed, fields=differs, source=source)]
        case EnrolCadre(details, unit), KnownPerson():
            _check_unit(details.unit, unit)
            return [CadreEnrolled(person=person.person, **_values(details))]
        case EnrolCadre(details), Cadre():
            if details != person.details:
                raise Refused("cadre-already-enrolled", person=person.person)
            return []
        case CorrectCadre(details, unit, source), Cadre():
            changed = tuple(name for name in DETAILS if getattr(details, name) != getattr(person.details, name))
            if not changed:
                return []
            if "unit" in changed:
                _check_unit(details.unit, unit)
            return [CadreCorrected(person=person.person, **_values(details), fields=changed, source=source)]
        case RecordEarlierPost(post, unit, source), Cadre():
            return [*decide_post(person.person, post, person.posts.get(post.post), unit, source)]
        case ErasePerson(ground), KnownPerson() | Cadre():
            if not ground.strip():
                raise Refused("erasure-ground-missing")
            return [PersonErased(person=person.person, ground=ground)]
        case _, KnownPerson(number):
            raise Refused("person-not-a-cadre", person=number)
        case _:
            raise Refused("person-unknown")


def evolve(person: Person, event: PersonEvent) -> Person:
    """The person after an event."""
    match event, person:
        case PersonRegistered(person=number, sealed=sealed), NoPerson():
            return KnownPerson(number, sealed)
        case PersonCorrected(sealed=sealed), KnownPerson() | Cadre():
            return replace(person, sealed=sealed)
        case CadreEnrolled(), KnownPerson(number, sealed):
            return Cadre(number, sealed, _details(event))
        case CadreCorrected(), Cadre():
            return replace(person, details=_details(event))
        case EarlierPostRecorded() | EarlierPostCorrected(), Cadre():
            return replace(person, posts=person.posts | {event.post: post_of(event)})
        case PersonErased(), KnownPerson(number) | Cadre(number):
            return ErasedPerson(number)
        case _:
            raise ValueError(f"{type(event).__name__} cannot follow {type(person).__name__}")


PERSON: Decider[PersonCommand, Person, PersonEvent] = Decider(NoPerson(), decide, evolve)


def _values(details: CadreDetails) -> dict[str, Any]:
    return {name: getattr(details, name) for name in DETAILS}


def _details(event: CadreEnrolled | CadreCorrected) -> CadreDetails:
    return CadreDetails(**{name: getattr(event, name) for name in DETAILS})


def _check_unit(code: str, unit: Unit) -> None:
    match unit:
        case OpenUnit():
            pass
        case MergedUnit(_, into):
            raise Refused("unit-merged", unit=code, into=into)
        case ClosedUnit():
            raise Refused("unit-closed", unit=code)
        case _:
            raise Refused("unit-unknown", unit=code)
