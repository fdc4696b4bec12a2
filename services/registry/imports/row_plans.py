"""One row as the commands that would have made it so, or that correct what stands to what it says now.

A cell counts only where it changed since the last workbook: what a command recorded in between, a new host, say, is not
undone by a workbook that still shows the old one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from xiapai_contracts.terms import EndReason, RecallGround

from ledger.command import Plan, Reading
from ledger.decider import Refused
from services.registry.commands import persons, postings, units
from services.registry.commands.context import Context
from services.registry.commands.persons import Personal
from services.registry.commands.postings import Contacts
from services.registry.earlier_post import EarlierPost
from services.registry.person import (
    PERSON,
    Cadre,
    CadreDetails,
    ErasedPerson,
    NoPerson,
    RecordEarlierPost,
    person_stream,
)
from services.registry.posting import (
    ApprovePosting,
    CompleteTerm,
    ConfirmArrival,
    EndCommand,
    EndEarly,
    PostingCommand,
    ProposePosting,
    RecallPosting,
)
from services.registry.posting_corrections import CorrectPosting
from services.registry.posting_states import Course, Declined, Known, Proposed, Vacant, course
from services.registry.posting_terms import TERMS, Terms
from services.registry.tree import unit
from services.registry.unit import NoUnit, UnitDetails
from services.registry.workbook import CadreRow, EarlierPostRow, PostingRow, Record, UnitRow

_PERSONAL = frozenset({"name", "identity_number", "born", "phone"})
_CONTACTS = ("sender_contact", "host_contact")


@dataclass(frozen=True, slots=True)
class RowPlan:
    """The plan of one row, as :meth:`ledger.command.Desk.record` runs it."""

    context: Context
    record: Record
    changed: frozenset[str]
    source: str

    async def __call__(self, reading: Reading) -> Plan:
        match self.record:
            case UnitRow():
                return await self._unit(self.record, reading)
            case CadreRow():
                return await self._cadre(self.record, reading)
            case EarlierPostRow():
                return await self._earlier_post(self.record, reading)
            case PostingRow():
                return await self._posting(self.record, reading)

    async def _unit(self, row: UnitRow, reading: Reading) -> Plan:
        said = UnitDetails(row.code, row.name, row.kind, row.parent, row.credit_code, row.poor_village, row.division)
        known = await unit(reading, row.code)
        if isinstance(known, NoUnit):
            return await units.register(said)(reading)
        return await units.correct(_overlaid(known.details, said, self.changed), self.source)(reading)

    async def _cadre(self, row: CadreRow, reading: Reading) -> Plan:
        number = row.code
        said = CadreDetails(row.sender, row.rank, row.duty, row.sex, row.party)
        personal = Personal(row.name, row.identity_number, row.born, row.phone)
        known = await persons.person(reading, number)
        if isinstance(known, NoPerson):
            return await persons.registered(self.context, known, number, personal, said, await unit(reading, said.unit))
        if isinstance(known, ErasedPerson):
            raise Refused("person-erased", person=number)
        if isinstance(known, Cadre):
            names = {"sender": "unit"}
            said = _overlaid(known.details, said, {names.get(name, name) for name in self.changed})
        fields = self.changed & _PERSONAL
        if fields and fields != _PERSONAL:
            personal = _overlaid(Personal.of(await self.context.keyring.open(known)), personal, fields)
        sends = await unit(reading, said.unit)
        return await persons.corrected(
            self.context, known, number, personal if fields else None, said, sends, self.source
        )

    async def _earlier_post(self, row: EarlierPostRow, reading: Reading) -> Plan:
        known = await persons.person(reading, row.person)
        said = EarlierPost(row.duty, row.principal_leader, row.starts, row.unit, row.unit_name, row.ends)
        if isinstance(known, Cadre) and said.post in known.posts:
            said = _overlaid(known.posts[said.post], said, self.changed)
        at = None if said.unit is None else await unit(reading, said.unit)
        stream = person_stream(row.person)
        events = PERSON.decide(RecordEarlierPost(said, at, self.source), known)
        return Plan(events=[(stream, event) for event in events])

    async def _posting(self, row: PostingRow, reading: Reading) -> Plan:
        known = await postings.posting(reading, row.code)
        # Names of contacts never enter the terms: there only their numbers stand.
        said = Terms(**{name: getattr(row, name) for name in TERMS if name not in _CONTACTS})
        now = Course(row.arrived, row.ended, _reason(row))
        named = frozenset(_CONTACTS)
        if not isinstance(known, Vacant):
            named &= self.changed
            said = _overlaid(known.terms, said, self.changed - named)
            now = self._course(row, known, said)
        said, others = await self._with_contacts(row, said, named, reading)
        facts = await postings.facts(self.context, reading, said)
        commands: list[PostingCommand]
        match known:
            case Vacant():
                commands = [ProposePosting(row.code, said, facts), ApprovePosting(facts), *_onward(Course(), now)]
            case Declined(code):
                raise Refused("posting-declined", posting=code)
            case Proposed():
                correction = CorrectPosting(said, Course(), facts, self.source)
                commands = [correction, ApprovePosting(facts), *_onward(Course(), now)]
            case _:
                stood = _as_far_as(course(known), now)
                commands = [CorrectPosting(said, stood, facts, self.source), *_onward(stood, now)]
        return postings.decided(self.context, row.code, known, commands, others=others)

    def _course(self, row: PostingRow, known: Known, said: Terms) -> Course:
        """How far the posting came, where the row's changed cells count and what stands otherwise."""
        then = course(known)
        arrived = row.arrived if "arrived" in self.changed else then.arrived_on
        ended = row.ended if "ended" in self.changed else then.ended_on
        if ended is None:
            return Course(arrived)
        if "end_reason" in self.changed and row.end_reason is not None:
            reason = row.end_reason
        else:
            reason = then.end_reason or row.end_reason or _reason_of(said.ends, ended)
        return Course(arrived, ended, reason)

    async def _with_contacts(
        self, row: PostingRow, said: Terms, named: frozenset[str], reading: Reading
    ) -> tuple[Terms, list[Plan]]:
        """The terms with the numbers of the ``named`` contacts, and what registers them; the others stay."""
        contacts = Contacts(*(getattr(row, name) if name in named else None for name in _CONTACTS))
        terms, others = await postings.with_contacts(self.context, reading, said, contacts)
        return replace(terms, **{name: getattr(said, name) for name in _CONTACTS if name not in named}), others


def _overlaid(stands: Any, said: Any, changed: Iterable[str]) -> Any:
    """What stands, with the changed fields as the row says them."""
    names = set(changed) & set(type(stands).__dataclass_fields__)
    return replace(stands, **{name: getattr(said, name) for name in names})


def _reason(row: PostingRow) -> EndReason | None:
    if row.ended is None or row.end_reason is not None:
        return row.end_reason
    return _reason_of(row.ends, row.ended)


def _reason_of(ends: date, ended: date) -> EndReason:
    """A row that ended and does not say why: the term was over, or it was not."""
    return EndReason.TERM_COMPLETED if ended >= ends else EndReason.ENDED_EARLY


def _as_far_as(then: Course, now: Course) -> Course:
    """``now`` without what is new in it: an arrival or an end that was open so far is a fact to record, what was
    recorded otherwise is to be corrected."""
    arrived = now.arrived_on if then.arrived_on is not None else None
    if then.ended_on is None:
        return Course(arrived)
    # One that has ended can no longer arrive: a day of arrival that was missing is corrected in.
    return now


def _onward(stood: Course, now: Course) -> list[PostingCommand]:
    commands: list[PostingCommand] = []
    if now.arrived_on is not None and stood.arrived_on is None:
        commands.append(ConfirmArrival(now.arrived_on))
    if now.ended_on is not None and stood.ended_on is None:
        commands.append(_end(now.ended_on, now.end_reason))
    return commands


def _end(on: date, reason: EndReason | None) -> EndCommand:
    match reason:
        case EndReason.TERM_COMPLETED:
            return CompleteTerm(on)
        case EndReason.RECALLED:
            return RecallPosting(on, RecallGround.OTHER)
        case _:
            return EndEarly(on)
