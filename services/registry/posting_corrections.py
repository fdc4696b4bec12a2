"""派驻更正: a posting as it should have stood. What happened under the wrong record is not undone by a correction: a
changed host means that the old one was never reached, a move to another host is a command of its own."""

from dataclasses import dataclass

from xiapai_contracts.registry import PostingCorrected

from ledger.decider import Refused
from services.registry.posting_states import Course, Declined, Known, Proposed, course
from services.registry.posting_terms import TERMS, Facts, Terms, check, check_arrival, check_end, values

_COURSE = ("arrived_on", "ended_on", "end_reason")


@dataclass(frozen=True, slots=True)
class CorrectPosting:
    """``facts`` are those of the corrected terms; ``source`` names the file that says so."""

    terms: Terms
    course: Course
    facts: Facts
    source: str | None = None


def decide_correction(command: CorrectPosting, posting: Known) -> list[PostingCorrected]:
    """Refused: ``posting-not-approved``, ``posting-declined`` (a course where there cannot be one),
    ``end-reason-without-end``, ``end-reason-missing``, and those of :mod:`services.registry.posting_terms`."""
    terms, now, known = command.terms, command.course, course(posting)
    changed = (
        *(name for name in TERMS if getattr(terms, name) != getattr(posting.terms, name)),
        *(name for name in _COURSE if getattr(now, name) != getattr(known, name)),
    )
    if not changed:
        return []
    if now != Course() and isinstance(posting, Proposed):
        raise Refused("posting-not-approved", posting=posting.posting)
    if now != Course() and isinstance(posting, Declined):
        raise Refused("posting-declined", posting=posting.posting)
    check(terms, command.facts, new="person" in changed)
    if now.arrived_on is not None:
        check_arrival(terms, now.arrived_on)
    if now.ended_on is None and now.end_reason is not None:
        raise Refused("end-reason-without-end")
    if now.ended_on is not None:
        if now.end_reason is None:
            raise Refused("end-reason-missing")
        check_end(terms, now.arrived_on, now.ended_on)
    return [
        PostingCorrected(
            posting=posting.posting,
            **values(terms),
            arrived_on=now.arrived_on,
            ended_on=now.ended_on,
            end_reason=now.end_reason,
            fields=changed,
            source=command.source,
        )
    ]
