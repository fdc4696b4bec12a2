"""Commands about persons and cadres. Personal fields are sealed here, before they enter an event."""

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any

from chassis.seal import Fields, new_key
from ledger.claims import Claim
from ledger.command import Plan, PlanMaker, Reading
from ledger.decider import Refused
from services.registry import codes
from services.registry.access import KEEP_PERSONS, Matter, OutOfScope, check_reach
from services.registry.commands.context import Asked, Context
from services.registry.earlier_post import EarlierPost
from services.registry.keyring import differing, seal_fields
from services.registry.person import (
    PERSON,
    Cadre,
    CadreDetails,
    CorrectCadre,
    CorrectPerson,
    EnrolCadre,
    ErasedPerson,
    ErasePerson,
    KnownPerson,
    NoPerson,
    Person,
    PersonEvent,
    RecordEarlierPost,
    RegisterPerson,
    person_stream,
)
from services.registry.tree import unit
from services.registry.unit import Unit

IDENTITY = "identity"
"""The kind of claim that keeps an identity number with one person. Its key is a keyed fingerprint, never the number."""


@dataclass(frozen=True, slots=True, repr=False)
class Personal:
    """Personal fields in clear, on their way to be sealed. Not shown by repr: it may end in a log."""

    name: str
    identity_number: str | None = None
    born: date | None = None
    phone: str | None = None

    @classmethod
    def of(cls, opened: Fields | None) -> "Personal":
        """From the fields as they were sealed."""
        said = opened or {}
        born = said.get("born")
        return cls(
            said.get("name") or "",
            said.get("identity_number"),
            date.fromisoformat(born) if born else None,
            said.get("phone"),
        )

    def fields(self) -> Fields:
        """In normal form. Refused as :mod:`services.registry.codes` says, and ``name-missing``."""
        if not self.name.strip():
            raise Refused("name-missing")
        try:
            return {
                "name": self.name.strip(),
                "identity_number": codes.identity_number(self.identity_number, self.born)
                if self.identity_number
                else None,
                "born": self.born.isoformat() if self.born else None,
                "phone": codes.phone_number(self.phone) if self.phone else None,
            }
        except codes.BadCode as bad:
            raise Refused(bad.code) from None


async def person(reading: Reading, number: str, *, new: bool = False) -> Person:
    """The state of a person; ``new`` where they are to be registered (:meth:`ledger.command.Reading.state`)."""
    return await reading.state(PERSON, person_stream(number), new=new)


def register(
    context: Context, asked: Asked, number: str, personal: Personal, cadre: CadreDetails | None = None
) -> PlanMaker:
    """人员登记, and 干部入册 where ``cadre`` is given."""

    async def plan(reading: Reading) -> Plan:
        await check_reach(reading, asked.who, KEEP_PERSONS, Matter(sender=cadre.unit if cadre else asked.who.unit))
        known = await person(reading, number, new=True)
        sends = None if cadre is None else await unit(reading, cadre.unit)
        return await registered(context, known, number, personal, cadre, sends)

    return plan


async def registered(
    context: Context, known: Person, number: str, personal: Personal, cadre: CadreDetails | None, sends: Unit | None
) -> Plan:
    """What registering comes to; ``sends`` is the state of the cadre's unit."""
    fields = personal.fields()
    sealed, keys, differs = await _sealed(context, known, number, fields)
    events: list[PersonEvent] = [*PERSON.decide(RegisterPerson(number, sealed, differs), known)]
    if cadre is not None and sends is not None:
        events += PERSON.decide(EnrolCadre(cadre, sends), PERSON.fold(events, known))
    return _plan(context, number, events, fields if isinstance(known, NoPerson) else None, keys)


def correct(
    context: Context, asked: Asked, number: str, personal: Personal, cadre: CadreDetails | None = None
) -> PlanMaker:
    """人员信息更正, 干部信息更正: the whole record as it should have stood; a person who was none becomes a cadre."""

    async def plan(reading: Reading) -> Plan:
        known = await person(reading, number)
        await _check_keeper(reading, asked, known)
        if cadre is not None:
            await check_reach(reading, asked.who, KEEP_PERSONS, Matter(sender=cadre.unit))
        sends = None if cadre is None else await unit(reading, cadre.unit)
        return await corrected(context, known, number, personal, cadre, sends, asked.source)

    return plan


async def corrected(
    context: Context,
    known: Person,
    number: str,
    personal: Personal | None,
    cadre: CadreDetails | None,
    sends: Unit | None,
    source: str | None,
) -> Plan:
    """What correcting comes to. ``personal`` None: the sealed fields stay as they are."""
    events: list[PersonEvent] = []
    fields: Fields = {}
    differs: tuple[str, ...] = ()
    if personal is not None:
        fields = personal.fields()
        sealed, _, differs = await _sealed(context, known, number, fields)
        events += PERSON.decide(CorrectPerson(sealed, differs, source), known)
    if cadre is not None and sends is not None:
        now = PERSON.fold(events, known)
        is_cadre = isinstance(now, Cadre)
        events += PERSON.decide(CorrectCadre(cadre, sends, source) if is_cadre else EnrolCadre(cadre, sends), now)
    return _plan(context, number, events, fields if "identity_number" in differs else None, {})


def record_earlier_post(asked: Asked, number: str, post: EarlierPost) -> PlanMaker:
    """履历, recorded or corrected."""

    async def plan(reading: Reading) -> Plan:
        known = await person(reading, number)
        await _check_keeper(reading, asked, known)
        at = None if post.unit is None else await unit(reading, post.unit)
        events = PERSON.decide(RecordEarlierPost(post, at, asked.source), known)
        stream = person_stream(number)
        return Plan(events=[(stream, event) for event in events])

    return plan


def erase(number: str, ground: str) -> PlanMaker:
    """人员信息删除. What the person's postings say stays: it names nobody. Also while one runs: whether to end it is
    another question than whether to keep the name."""

    async def plan(reading: Reading) -> Plan:
        known = await person(reading, number)
        if isinstance(known, NoPerson):
            raise OutOfScope
        stream = person_stream(number)
        events = PERSON.decide(ErasePerson(ground), known)
        return Plan(
            events=[(stream, event) for event in events],
            release=[(IDENTITY, stream)] if events else [],
            keys={stream: None} if events else {},
        )

    return plan


async def contact(context: Context, reading: Reading, unit_code: str, name: str | None) -> tuple[str | None, Plan]:
    """The number of the person of that name who answers for a unit (R13), and what registers them where none is.

    The number is a keyed fingerprint of unit and name, so the same name at the same unit is the same person.
    Once erased a number stays empty, and a new person of that name gets the next one.
    """
    if name is None or not name.strip():
        return None, Plan()
    for turn in range(100):
        number = contact_number(context, unit_code, name.strip(), turn)
        known = await person(reading, number)
        if isinstance(known, NoPerson):
            return number, await registered(context, known, number, Personal(name), None, None)
        if not isinstance(known, ErasedPerson):
            return number, Plan()
    raise Refused("contact-erased-too-often", unit=unit_code)


def contact_number(context: Context, unit_code: str, name: str, turn: int = 0) -> str:
    """The number of the person of that name who answers for a unit; ``turn`` counts those erased before."""
    blinded = context.keyring.kek.blind("contact", f"{unit_code}\0{name}\0{turn}")
    return "C" + hashlib.blake2b(blinded.encode(), digest_size=10).hexdigest()


async def _sealed(
    context: Context, known: Person, number: str, fields: Fields
) -> tuple[str, dict[str, bytes | None], tuple[str, ...]]:
    """The fields sealed, the key where it is new, and which fields differ from those sealed before."""
    match known:
        case NoPerson():
            key = new_key()
            wrapped = context.keyring.kek.wrap(number, key).encode("ascii")
            return seal_fields(key, number, fields), {person_stream(number): wrapped}, ()
        case KnownPerson() | Cadre():
            then = await context.keyring.open(known)
            own = await context.keyring.key(number)
            if then is None or own is None:
                raise Refused("person-erased", person=number)
            differs = differing(fields, then)
            return (seal_fields(own, number, fields) if differs else known.sealed), {}, differs
        case ErasedPerson():
            return "", {}, ()


def _plan(
    context: Context,
    number: str,
    events: list[PersonEvent],
    identified_by: Fields | None,
    keys: dict[str, bytes | None],
) -> Plan:
    """``identified_by`` holds the fields whose identity number is to be claimed, None where it stays as it is.
    Who gets a key just now has nothing to release."""
    stream = person_stream(number)
    claims, release = [], []
    if identified_by is not None and events:
        identity = identified_by.get("identity_number")
        if identity is None:
            release = [] if keys else [(IDENTITY, stream)]
        else:
            claims = [Claim(IDENTITY, context.keyring.kek.blind(IDENTITY, identity), stream)]
    made: list[tuple[str, Any]] = [(stream, event) for event in events]
    return Plan(events=made, claims=claims, release=release, keys=keys)


async def _check_keeper(reading: Reading, asked: Asked, known: Person) -> None:
    """Whether one may keep this person's record: the office may any, a clerk those of the units in their subtree."""
    if isinstance(known, NoPerson):
        raise OutOfScope
    of = known.details.unit if isinstance(known, Cadre) else None
    await check_reach(reading, asked.who, KEEP_PERSONS, Matter(sender=of))
