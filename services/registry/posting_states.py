"""The states of a posting, each with what can be true in it and nothing else."""

from dataclasses import dataclass
from datetime import date

from xiapai_contracts.registry import PostingCorrected, PostingProposed
from xiapai_contracts.terms import EndReason

from services.registry.posting_terms import TERMS, Terms


@dataclass(frozen=True, slots=True)
class Vacant:
    """Nobody was proposed under this code."""


@dataclass(frozen=True, slots=True)
class Proposed:
    posting: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Declined:
    posting: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Approved:
    posting: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Serving:
    """The cadre is there; ``terms.host`` is where now, ``terms.ends`` until when by plan."""

    posting: str
    terms: Terms
    arrived_on: date


@dataclass(frozen=True, slots=True)
class Ended:
    """``arrived_on`` is None where the cadre was withdrawn before arriving."""

    posting: str
    terms: Terms
    arrived_on: date | None
    ended_on: date
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Closed:
    """Ended, handed over and filed."""

    posting: str
    terms: Terms
    arrived_on: date | None
    ended_on: date
    reason: EndReason


Known = Proposed | Declined | Approved | Serving | Ended | Closed
Posting = Vacant | Known


@dataclass(frozen=True, slots=True)
class Course:
    """How far a posting came: arrived, ended, why."""

    arrived_on: date | None = None
    ended_on: date | None = None
    end_reason: EndReason | None = None


def course(posting: Known) -> Course:
    """How far it came."""
    match posting:
        case Serving(_, _, arrived_on):
            return Course(arrived_on)
        case Ended(_, _, arrived_on, ended_on, reason) | Closed(_, _, arrived_on, ended_on, reason):
            return Course(arrived_on, ended_on, reason)
        case _:
            return Course()


def with_course(posting: Known, terms: Terms, now: Course) -> Known:
    """The posting with other terms and course: what was decided or filed stays so as far as the course allows it."""
    code = posting.posting
    match posting, now:
        case ((Proposed() | Declined()), _):
            return type(posting)(code, terms)
        case Closed(), Course(arrived_on, date() as ended_on, EndReason() as reason):
            return Closed(code, terms, arrived_on, ended_on, reason)
        case _, Course(arrived_on, date() as ended_on, EndReason() as reason):
            return Ended(code, terms, arrived_on, ended_on, reason)
        case _, Course(date() as arrived_on):
            return Serving(code, terms, arrived_on)
        case _:
            return Approved(code, terms)


def terms_of(event: PostingProposed | PostingCorrected) -> Terms:
    """The terms that an event states."""
    return Terms(**{name: getattr(event, name) for name in TERMS})
