"""Which postings of one cadre stand beside each other, against the rule counted day by day."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st
from xiapai_contracts.terms import Category, EndReason, ExchangeDirection

from ledger.claims import Held
from services.registry.commands.postings import claims_of
from services.registry.posting_states import Ended, Serving
from services.registry.posting_terms import Terms
from tests.services.registry.words import RULES, terms

FIRST = date(2026, 1, 1)
SEVERAL = {Category.SUPPORT_DOCTOR, Category.ENTERPRISE_LEADER, Category.ENTERPRISE_LIAISON}


@st.composite
def postings(draw: st.DrawFn) -> Serving | Ended:
    starts = FIRST + timedelta(draw(st.integers(0, 20)))
    ends = starts + timedelta(draw(st.integers(0, 20)))
    category = draw(st.sampled_from([Category.RURAL_GUIDE, Category.TWO_WAY_EXCHANGE, *SEVERAL]))
    direction = ExchangeDirection.TO_GRASSROOTS if category is Category.TWO_WAY_EXCHANGE else None
    said = terms(category=category, direction=direction, starts=starts, ends=ends)
    ended = draw(st.none() | st.integers(0, 30))
    if ended is None:
        return Serving("", said, starts)
    return Ended("", said, starts, starts + timedelta(ended), EndReason.ENDED_EARLY)


def days(posting: Serving | Ended) -> set[date]:
    last = min(posting.terms.ends, posting.ended_on) if isinstance(posting, Ended) else posting.terms.ends
    return {posting.terms.starts + timedelta(n) for n in range((last - posting.terms.starts).days + 1)}


def clash(one: Serving | Ended, other: Serving | Ended) -> bool:
    """The rule of the workbook: a common day, where either category allows one only."""
    allowed = {one.terms.category, other.terms.category} <= SEVERAL
    return bool(days(one) & days(other)) and not allowed


@given(postings(), postings())
def test_two_postings_of_one_cadre_clash_where_a_day_is_common_and_either_allows_one_only(
    one: Serving | Ended, other: Serving | Ended
) -> None:
    (first,), (second,) = claims_of(RULES, "posting-A", one), claims_of(RULES, "posting-B", other)
    assert first.overlaps(second) == second.overlaps(first) == clash(one, other)


@given(st.lists(postings(), max_size=8))
def test_of_postings_taken_one_after_another_each_stands_beside_all_that_were_taken(
    asked: list[Serving | Ended],
) -> None:
    held, taken = Held(()), list[Serving | Ended]()
    for number, posting in enumerate(asked):
        claims = claims_of(RULES, f"posting-{number}", posting)
        refused = held.refuse(claims) is not None
        assert refused == any(clash(posting, before) for before in taken)
        if not refused:
            held.replace(claims, [])
            taken.append(posting)


@given(postings())
def test_a_posting_never_stands_in_its_own_way(posting: Serving | Ended) -> None:
    (claim,) = claims_of(RULES, "posting-A", posting)
    assert not claim.overlaps(claim) and isinstance(posting.terms, Terms)
