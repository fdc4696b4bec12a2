"""派驻: one posting of one cadre, from proposal to filing (R1, R4, R5, R12, R13, R19). Stream ``posting-<code>``."""

from dataclasses import dataclass, replace
from datetime import date

from xiapai_contracts.registry import (
    CadreArrived,
    HostChanged,
    PostingApproved,
    PostingClosed,
    PostingCorrected,
    PostingDeclined,
    PostingEndedEarly,
    PostingExtended,
    PostingProposed,
    PostingRecalled,
    TermCompleted,
)
from xiapai_contracts.terms import EndReason, RecallGround

from ledger.decider import Decider, Refused
from services.registry.posting_corrections import CorrectPosting, decide_correction
from services.registry.posting_states import (
    Approved,
    Closed,
    Course,
    Declined,
    Ended,
    Posting,
    Proposed,
    Serving,
    Vacant,
    terms_of,
    with_course,
)
from services.registry.posting_terms import Facts, Terms, check, check_arrival, check_end, check_host, values

PostingEvent = (
    PostingProposed
    | PostingApproved
    | PostingDeclined
    | CadreArrived
    | PostingExtended
    | HostChanged
    | TermCompleted
    | PostingRecalled
    | PostingEndedEarly
    | PostingClosed
    | PostingCorrected
)


def posting_stream(code: str) -> str:
    """``posting-<code>``."""
    return f"posting-{code}"


@dataclass(frozen=True, slots=True)
class ProposePosting:
    posting: str
    terms: Terms
    facts: Facts


@dataclass(frozen=True, slots=True)
class ApprovePosting:
    """The facts are looked at again: since the proposal the host may have closed."""

    facts: Facts


@dataclass(frozen=True, slots=True)
class DeclinePosting:
    reason: str


@dataclass(frozen=True, slots=True)
class ConfirmArrival:
    on: date


@dataclass(frozen=True, slots=True)
class ExtendPosting:
    ends: date


@dataclass(frozen=True, slots=True)
class ChangeHost:
    """``facts`` are those of the posting at its new host."""

    host: str
    on: date
    facts: Facts


@dataclass(frozen=True, slots=True)
class CompleteTerm:
    on: date


@dataclass(frozen=True, slots=True)
class RecallPosting:
    on: date
    ground: RecallGround
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class EndEarly:
    on: date
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ClosePosting:
    pass


EndCommand = CompleteTerm | RecallPosting | EndEarly
PostingCommand = (
    ProposePosting
    | ApprovePosting
    | DeclinePosting
    | ConfirmArrival
    | ExtendPosting
    | ChangeHost
    | EndCommand
    | ClosePosting
    | CorrectPosting
)
_REASONS = {
    CompleteTerm: EndReason.TERM_COMPLETED,
    RecallPosting: EndReason.RECALLED,
    EndEarly: EndReason.ENDED_EARLY,
}


def decide(command: PostingCommand, posting: Posting) -> list[PostingEvent]:
    """Refused: ``posting-unknown``, ``posting-already-proposed``, ``posting-not-approved``, ``posting-declined``,
    ``posting-already-approved``, ``decline-reason-missing``, ``already-serving``, ``not-serving``,
    ``extension-not-later``, ``host-change-outside-the-period``, ``posting-ended``, ``posting-not-ended``,
    ``posting-closed``, and those of :mod:`services.registry.posting_terms` and of corrections."""
    match command, posting:
        case ProposePosting(code, terms, facts), Vacant():
            check(terms, facts, new=True)
            return [PostingProposed(posting=code, **values(terms))]
        case ProposePosting(_, terms), Proposed(_, known) if terms == known:
            return []
        case ProposePosting(code), _:
            raise Refused("posting-already-proposed", posting=code)
        case _, Vacant():
            raise Refused("posting-unknown")
        case CorrectPosting(), _:
            return [*decide_correction(command, posting)]
        case ApprovePosting(facts), Proposed(code, terms):
            check(terms, facts, new=True)
            return [PostingApproved(posting=code)]
        case ApprovePosting(), Approved() | Serving() | Ended() | Closed():
            return []
        case DeclinePosting(reason), Proposed(code):
            if not reason.strip():
                raise Refused("decline-reason-missing", posting=code)
            return [PostingDeclined(posting=code, reason=reason)]
        case DeclinePosting(), Declined():
            return []
        case DeclinePosting(), _:
            raise Refused("posting-already-approved", posting=posting.posting)
        case _, Declined(code):
            raise Refused("posting-declined", posting=code)
        case _, Proposed(code):
            raise Refused("posting-not-approved", posting=code)
        case ConfirmArrival(on), Approved(code, terms):
            check_arrival(terms, on)
            return [
                CadreArrived(
                    posting=code,
                    on=on,
                    person=terms.person,
                    host=terms.host,
                    sender=terms.sender,
                    tier=terms.tier,
                    category=terms.category,
                    ends=terms.ends,
                )
            ]
        case ConfirmArrival(on), Serving(code, _, arrived_on):
            if on != arrived_on:
                raise Refused("already-serving", posting=code, arrived=arrived_on)
            return []
        case ExtendPosting(ends), Approved(code, terms) | Serving(code, terms):
            if ends < terms.ends:
                raise Refused("extension-not-later", posting=code, ends=terms.ends)
            return [PostingExtended(posting=code, ends=ends)] if ends > terms.ends else []
        case ChangeHost(host), Serving(_, terms) if host == terms.host:
            return []
        case ChangeHost(host, on, facts), Serving(code, terms, arrived_on):
            if not arrived_on <= on <= terms.ends:
                raise Refused("host-change-outside-the-period", posting=code, arrived=arrived_on, ends=terms.ends)
            check_host(replace(terms, host=host), facts.host, facts.rule, on)
            return [HostChanged(posting=code, host=host, on=on)]
        case ChangeHost(), Approved(code):
            raise Refused("not-serving", posting=code)
        case CompleteTerm(on) | RecallPosting(on) | EndEarly(on), Approved(code, terms):
            check_end(terms, None, on)
            return [_end(command, code)]
        case CompleteTerm(on) | RecallPosting(on) | EndEarly(on), Serving(code, terms, arrived_on):
            check_end(terms, arrived_on, on)
            return [_end(command, code)]
        case CompleteTerm(on) | RecallPosting(on) | EndEarly(on), Ended() | Closed() if (
            on,
            _REASONS[type(command)],
        ) == (posting.ended_on, posting.reason):
            return []
        case ClosePosting(), Ended(code):
            return [PostingClosed(posting=code)]
        case ClosePosting(), Closed():
            return []
        case ClosePosting(), _:
            raise Refused("posting-not-ended", posting=posting.posting)
        case _, Closed(code):
            raise Refused("posting-closed", posting=code)
        case _:
            raise Refused("posting-ended", posting=posting.posting)


def _end(command: EndCommand, code: str) -> TermCompleted | PostingRecalled | PostingEndedEarly:
    match command:
        case CompleteTerm(on):
            return TermCompleted(posting=code, on=on)
        case RecallPosting(on, ground, remark):
            return PostingRecalled(posting=code, on=on, ground=ground, remark=remark)
        case EndEarly(on, reason):
            return PostingEndedEarly(posting=code, on=on, reason=reason)


def evolve(posting: Posting, event: PostingEvent) -> Posting:
    """The posting after an event."""
    match event, posting:
        case PostingProposed(posting=code), Vacant():
            return Proposed(code, terms_of(event))
        case PostingApproved(), Proposed(code, terms):
            return Approved(code, terms)
        case PostingDeclined(), Proposed(code, terms):
            return Declined(code, terms)
        case CadreArrived(on=on), Approved(code, terms):
            return Serving(code, terms, on)
        case PostingExtended(ends=ends), Approved() | Serving():
            return replace(posting, terms=replace(posting.terms, ends=ends))
        case HostChanged(host=host), Serving():
            return replace(posting, terms=replace(posting.terms, host=host))
        case TermCompleted(on=on), Approved() | Serving():
            return _ended(posting, on, EndReason.TERM_COMPLETED)
        case PostingRecalled(on=on), Approved() | Serving():
            return _ended(posting, on, EndReason.RECALLED)
        case PostingEndedEarly(on=on), Approved() | Serving():
            return _ended(posting, on, EndReason.ENDED_EARLY)
        case PostingClosed(), Ended(code, terms, arrived_on, ended_on, reason):
            return Closed(code, terms, arrived_on, ended_on, reason)
        case PostingCorrected(), Proposed() | Declined() | Approved() | Serving() | Ended() | Closed():
            return with_course(posting, terms_of(event), Course(event.arrived_on, event.ended_on, event.end_reason))
        case _:
            raise ValueError(f"{type(event).__name__} cannot follow {type(posting).__name__}")


POSTING: Decider[PostingCommand, Posting, PostingEvent] = Decider(Vacant(), decide, evolve)


def _ended(posting: Approved | Serving, on: date, reason: EndReason) -> Ended:
    arrived_on = posting.arrived_on if isinstance(posting, Serving) else None
    return Ended(posting.posting, posting.terms, arrived_on, on, reason)
