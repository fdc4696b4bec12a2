"""Commands about postings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ledger.claims import Claim
from ledger.command import Plan, PlanMaker, Reading
from services.registry.access import OFFICE, PROPOSE, Matter, May, OutOfScope, Reach, check_reach
from services.registry.category_rules import CategoryRules
from services.registry.commands.context import Asked, Context
from services.registry.commands.persons import contact, person
from services.registry.person import Cadre
from services.registry.posting import (
    POSTING,
    ApprovePosting,
    ChangeHost,
    PostingCommand,
    ProposePosting,
    posting_stream,
)
from services.registry.posting_corrections import CorrectPosting
from services.registry.posting_states import Course, Declined, Known, Posting, Vacant, course
from services.registry.posting_terms import Facts, Terms
from services.registry.tree import unit

SERVING = "serving"
"""The kind of claim by which a cadre holds one posting at a time, or several where the category allows it."""


@dataclass(frozen=True, slots=True, repr=False)
class Contacts:
    """The names of the accountable persons at both ends (R13), in clear, on their way to be sealed."""

    sender: str | None = None
    host: str | None = None


async def posting(reading: Reading, code: str, *, new: bool = False) -> Posting:
    """The state of a posting; ``new`` where it is to be proposed (:meth:`ledger.command.Reading.state`)."""
    return await reading.state(POSTING, posting_stream(code), new=new)


async def facts(context: Context, reading: Reading, terms: Terms) -> Facts:
    """What other streams know about these terms."""
    return Facts(
        cadre=await person(reading, terms.person),
        sender=await unit(reading, terms.sender),
        host=await unit(reading, terms.host),
        rule=context.rules.on(terms.starts, terms.category),
    )


def propose(context: Context, asked: Asked, code: str, terms: Terms, contacts: Contacts) -> PlanMaker:
    """派驻提名."""

    async def plan(reading: Reading) -> Plan:
        await check_reach(reading, asked.who, PROPOSE, matter_of(terms))
        known = await facts(context, reading, terms)
        if PROPOSE[asked.who.role] is Reach.SENDER and isinstance(known.cadre, Cadre):
            await check_reach(reading, asked.who, PROPOSE, Matter(sender=known.cadre.details.unit))
        named, others = await with_contacts(context, reading, terms, contacts)
        before = await posting(reading, code, new=True)
        return decided(context, code, before, [ProposePosting(code, named, known)], others=others)

    return plan


def change(context: Context, asked: Asked, may: May, code: str, command: PostingCommand) -> PlanMaker:
    """A command that needs to know the posting alone."""

    async def plan(reading: Reading) -> Plan:
        return decided(context, code, await _reached(reading, asked, may, code), [command])

    return plan


def approve(context: Context, asked: Asked, may: May, code: str) -> PlanMaker:
    """派驻批准."""

    async def plan(reading: Reading) -> Plan:
        known = await _reached(reading, asked, may, code)
        return decided(context, code, known, [ApprovePosting(await facts(context, reading, known.terms))])

    return plan


def change_host(context: Context, asked: Asked, code: str, host: str, on: date) -> PlanMaker:
    """调整接收单位."""

    async def plan(reading: Reading) -> Plan:
        known = await _reached(reading, asked, OFFICE, code)
        there = await facts(context, reading, replace(known.terms, host=host))
        return decided(context, code, known, [ChangeHost(host, on, there)])

    return plan


def correct(context: Context, asked: Asked, code: str, terms: Terms, contacts: Contacts, now: Course) -> PlanMaker:
    """派驻更正: the whole posting as it should have stood."""

    async def plan(reading: Reading) -> Plan:
        known = await _reached(reading, asked, OFFICE, code)
        named, others = await with_contacts(context, reading, terms, contacts)
        command = CorrectPosting(named, now, await facts(context, reading, named), asked.source)
        return decided(context, code, known, [command], others=others)

    return plan


async def with_contacts(
    context: Context, reading: Reading, terms: Terms, contacts: Contacts
) -> tuple[Terms, list[Plan]]:
    """The terms with the numbers of the accountable persons, and what registers those who are new."""
    sender, at_sender = await contact(context, reading, terms.sender, contacts.sender)
    host, at_host = await contact(context, reading, terms.host, contacts.host)
    # One person may answer at both ends of an exchange within one unit: registered once.
    others = [at_sender] if sender == host else [at_sender, at_host]
    return replace(terms, sender_contact=sender, host_contact=host), others


def decided(
    context: Context,
    code: str,
    known: Posting,
    commands: Sequence[PostingCommand],
    *,
    others: Sequence[Plan] = (),
) -> Plan:
    """What the commands come to, one after another, with the claim on the cadre's days as it stands afterwards."""
    stream = posting_stream(code)
    now: Posting = known
    events: list[tuple[str, Any]] = []
    for command in commands:
        made = POSTING.decide(command, now)
        now = POSTING.fold(made, now)
        events += [(stream, event) for event in made]
    if not events:
        return Plan()
    claims = claims_of(context.rules, stream, now)
    release = [] if claims or claims_of(context.rules, stream, known) == [] else [(SERVING, stream)]
    if claims == claims_of(context.rules, stream, known):
        claims = []
    keys: dict[str, bytes | None] = {}
    for other in others:
        events = [*other.events, *events]
        keys.update(other.keys)
    return Plan(events=events, claims=claims, release=release, keys=keys)


def matter_of(terms: Terms) -> Matter:
    """What a posting is about, for :func:`services.registry.access.check_reach`."""
    return Matter(sender=terms.sender, host=terms.host, category=terms.category, person=terms.person)


def claims_of(rules: CategoryRules, stream: str, now: Posting) -> list[Claim]:
    """The cadre's days from the start to the earlier of the actual and the planned end, both included; shared where the
    category allows several at once."""
    if isinstance(now, Vacant | Declined):
        return []
    terms, ended_on = now.terms, course(now).ended_on
    last = terms.ends if ended_on is None else min(terms.ends, ended_on)
    shared = rules.on(terms.starts, terms.category).several
    return [Claim(SERVING, terms.person, stream, terms.starts, last, shared)]


async def _reached(reading: Reading, asked: Asked, may: May, code: str) -> Known:
    known = await posting(reading, code)
    if isinstance(known, Vacant):
        raise OutOfScope
    await check_reach(reading, asked.who, may, matter_of(known.terms))
    return known
