from datetime import date
from typing import Any

import pytest
from xiapai_contracts.registry import (
    CadreArrived,
    HostChanged,
    PostingApproved,
    PostingClosed,
    PostingCorrected,
    PostingDeclined,
    PostingEndedEarly,
    PostingExtended,
    PostingRecalled,
    TermCompleted,
)
from xiapai_contracts.terms import (
    CATEGORIES,
    Category,
    EndReason,
    ExchangeDirection,
    Mode,
    RecallGround,
    Tier,
    UnitKind,
)

from services.registry.person import ErasedPerson, KnownPerson, NoPerson
from services.registry.posting import (
    POSTING,
    ApprovePosting,
    ChangeHost,
    ClosePosting,
    CompleteTerm,
    ConfirmArrival,
    DeclinePosting,
    EndEarly,
    ExtendPosting,
    ProposePosting,
    RecallPosting,
)
from services.registry.posting_corrections import CorrectPosting
from services.registry.posting_states import Approved, Closed, Course, Ended, Serving
from services.registry.unit import ClosedUnit, MergedUnit, NoUnit, UnitDetails
from tests.services.registry.words import ENDS, STARTS, facts, proposed, terms
from tests.support.given import given

ON = date(2026, 3, 1)
LATER = date(2027, 3, 1)
PROPOSED = proposed()
APPROVED = PostingApproved(posting="P1")
ARRIVED = CadreArrived(
    posting="P1",
    on=ON,
    person="G1",
    host="VILLAGE",
    sender="BUREAU",
    tier=Tier.DISTRICT,
    category=Category.RURAL_GUIDE,
    ends=ENDS,
)
COMPLETED = TermCompleted(posting="P1", on=ENDS)
SERVING = (PROPOSED, APPROVED, ARRIVED)


def propose(**changes: Any) -> ProposePosting:
    return ProposePosting("P1", terms(**changes), facts(terms(**changes)))


def test_a_posting_goes_from_proposal_to_filing() -> None:
    given(POSTING).when(propose()).then(PROPOSED)
    given(POSTING, PROPOSED).when(ApprovePosting(facts())).then(APPROVED)
    given(POSTING, PROPOSED, APPROVED).when(ConfirmArrival(ON)).then(ARRIVED)
    given(POSTING, *SERVING).when(CompleteTerm(ENDS)).then(COMPLETED)
    given(POSTING, *SERVING, COMPLETED).when(ClosePosting()).then(PostingClosed(posting="P1"))


def test_what_is_so_already_records_nothing() -> None:
    closed = (*SERVING, COMPLETED, PostingClosed(posting="P1"))
    given(POSTING, PROPOSED).when(propose()).nothing()
    given(POSTING, PROPOSED, APPROVED).when(ApprovePosting(facts())).nothing()
    given(POSTING, *SERVING).when(ConfirmArrival(ON)).nothing()
    given(POSTING, *SERVING).when(ExtendPosting(ENDS)).nothing()
    given(POSTING, *SERVING).when(ChangeHost("VILLAGE", LATER, facts())).nothing()
    given(POSTING, *SERVING, COMPLETED).when(CompleteTerm(ENDS)).nothing()
    given(POSTING, *closed).when(CompleteTerm(ENDS)).nothing()
    given(POSTING, *closed).when(ClosePosting()).nothing()


def test_a_post_is_taken_up_once() -> None:
    given(POSTING, *SERVING).when(ConfirmArrival(LATER)).refused("already-serving")
    given(POSTING, *SERVING).when(propose()).refused("posting-already-proposed")


def test_nobody_arrives_before_the_approval() -> None:
    given(POSTING, PROPOSED).when(ConfirmArrival(ON)).refused("posting-not-approved")
    given(POSTING).when(ConfirmArrival(ON)).refused("posting-unknown")


def test_a_declined_posting_stays_declined() -> None:
    declined = PostingDeclined(posting="P1", reason="名额已满")
    given(POSTING, PROPOSED).when(DeclinePosting("名额已满")).then(declined)
    given(POSTING, PROPOSED).when(DeclinePosting(" ")).refused("decline-reason-missing")
    given(POSTING, PROPOSED, declined).when(DeclinePosting("名额已满")).nothing()
    given(POSTING, PROPOSED, declined).when(ApprovePosting(facts())).refused("posting-declined")
    given(POSTING, PROPOSED, APPROVED).when(DeclinePosting("迟了")).refused("posting-already-approved")


def test_one_arrives_within_the_period() -> None:
    for day in (date(2025, 12, 31), date(2028, 1, 1)):
        given(POSTING, PROPOSED, APPROVED).when(ConfirmArrival(day)).refused("arrived-outside-the-period")
    for day in (STARTS, ENDS):
        assert given(POSTING, PROPOSED, APPROVED).when(ConfirmArrival(day)).events


def test_the_period_is_extended_to_a_later_day_alone() -> None:
    given(POSTING, *SERVING).when(ExtendPosting(date(2028, 6, 30))).then(
        PostingExtended(posting="P1", ends=date(2028, 6, 30))
    )
    given(POSTING, *SERVING).when(ExtendPosting(LATER)).refused("extension-not-later")
    given(POSTING, *SERVING, COMPLETED).when(ExtendPosting(date(2028, 6, 30))).refused("posting-ended")


def test_a_cadre_moves_to_another_host_that_the_category_allows() -> None:
    there = facts(terms(host="V2"))
    given(POSTING, *SERVING).when(ChangeHost("V2", LATER, there)).then(HostChanged(posting="P1", host="V2", on=LATER))
    given(POSTING, *SERVING).when(ChangeHost("S1", LATER, facts(terms(host="S1"), host=UnitKind.SCHOOL))).refused(
        "host-kind-not-allowed"
    )
    given(POSTING, *SERVING).when(ChangeHost("V2", date(2028, 1, 1), there)).refused("host-change-outside-the-period")
    given(POSTING, PROPOSED, APPROVED).when(ChangeHost("V2", LATER, there)).refused("not-serving")


def test_a_posting_ends_in_three_ways() -> None:
    given(POSTING, *SERVING).when(RecallPosting(LATER, RecallGround.HEALTH, "住院")).then(
        PostingRecalled(posting="P1", on=LATER, ground=RecallGround.HEALTH, remark="住院")
    )
    given(POSTING, *SERVING).when(EndEarly(LATER, "调任")).then(
        PostingEndedEarly(posting="P1", on=LATER, reason="调任")
    )
    given(POSTING, *SERVING, COMPLETED).when(EndEarly(LATER)).refused("posting-ended")
    given(POSTING, *SERVING, COMPLETED, PostingClosed(posting="P1")).when(EndEarly(LATER)).refused("posting-closed")
    given(POSTING, *SERVING).when(ClosePosting()).refused("posting-not-ended")


def test_a_posting_does_not_end_before_the_cadre_arrived() -> None:
    given(POSTING, *SERVING).when(EndEarly(date(2026, 2, 28))).refused("ended-before-arrival")
    given(POSTING, PROPOSED, APPROVED).when(EndEarly(date(2025, 12, 31))).refused("ended-before-it-starts")


def test_an_approved_cadre_can_be_withdrawn_before_arriving() -> None:
    state = given(POSTING, PROPOSED, APPROVED, PostingRecalled(posting="P1", on=ON, ground=RecallGround.OTHER)).state
    assert state == Ended("P1", terms(), None, ON, EndReason.RECALLED)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tier": Tier.CITY, "category": Category.COMMUNITY_POLICE}, "category-not-of-tier"),
        ({"category": Category.PUBLIC_ORDER_ENVOY}, "category-not-of-tier"),
        ({"ends": date(2025, 12, 31)}, "ends-before-it-starts"),
        ({"basis": " "}, "basis-missing"),
        ({"category": Category.TWO_WAY_EXCHANGE}, "direction-missing"),
        ({"direction": ExchangeDirection.TO_GRASSROOTS}, "direction-not-allowed"),
    ],
)
def test_terms_that_contradict_themselves_are_refused(changes: dict[str, Any], code: str) -> None:
    given(POSTING).when(propose(**changes)).refused(code)


ON_STARTS = UnitDetails("VILLAGE", "村", UnitKind.VILLAGE)


@pytest.mark.parametrize(
    ("known", "code"),
    [
        ({"cadre": NoPerson()}, "person-unknown"),
        ({"cadre": KnownPerson("G1", "")}, "person-not-a-cadre"),
        ({"cadre": ErasedPerson("G1")}, "person-erased"),
        ({"sender": NoUnit()}, "sender-unknown"),
        ({"sender": ClosedUnit(ON_STARTS, STARTS)}, "sender-closed"),
        ({"host": NoUnit()}, "host-unknown"),
        ({"host": MergedUnit(ON_STARTS, "V2", STARTS)}, "host-merged"),
        ({"host": ClosedUnit(ON_STARTS, STARTS)}, "host-closed"),
        ({"host": UnitKind.TOWNSHIP_HOSPITAL}, "host-kind-not-allowed"),
    ],
)
def test_what_other_streams_know_decides_too(known: dict[str, Any], code: str) -> None:
    given(POSTING).when(ProposePosting("P1", terms(), facts(**known))).refused(code)
    given(POSTING, PROPOSED).when(ApprovePosting(facts(**known))).refused(code)


def test_a_host_merged_or_closed_later_could_still_take_a_cadre_then() -> None:
    for host in (MergedUnit(ON_STARTS, "V2", LATER), ClosedUnit(ON_STARTS, LATER)):
        given(POSTING).when(ProposePosting("P1", terms(), facts(host=host))).then(PROPOSED)


def test_each_tier_takes_its_own_categories_alone() -> None:
    assert sum(map(len, CATEGORIES.values())) == 13
    for tier in Tier:
        for category in Category:
            asked = terms(
                tier=tier,
                category=category,
                direction=ExchangeDirection.TO_GRASSROOTS if category is Category.TWO_WAY_EXCHANGE else None,
            )
            host = next(kind for kind in UnitKind if kind in facts(asked).rule.hosts)
            outcome = given(POSTING).when(ProposePosting("P1", asked, facts(asked, host=host)))
            assert (outcome.refusal is None) == (category in CATEGORIES[tier]), (tier, category)


@pytest.mark.parametrize(
    ("direction", "fits"),
    [
        (
            ExchangeDirection.TO_GRASSROOTS,
            {UnitKind.SUBDISTRICT, UnitKind.TOWN, UnitKind.FARM, UnitKind.MANAGEMENT_OFFICE},
        ),
        (ExchangeDirection.TO_DEPARTMENT, {UnitKind.DISTRICT_DEPARTMENT}),
    ],
)
def test_a_two_way_exchange_goes_where_its_direction_says(direction: ExchangeDirection, fits: set[UnitKind]) -> None:
    asked = terms(category=Category.TWO_WAY_EXCHANGE, direction=direction)
    for kind in UnitKind:
        outcome = given(POSTING).when(ProposePosting("P1", asked, facts(asked, host=kind)))
        assert (outcome.refusal is None) == (kind in fits), kind


def correct(course: Course, source: str | None = None, **changes: Any) -> CorrectPosting:
    said = terms(**changes)
    return CorrectPosting(said, course, facts(said), source)


def test_a_correction_states_the_whole_posting_and_names_what_changed() -> None:
    given(POSTING, *SERVING).when(correct(Course(ON), "a.xlsx", host="V2", duty="第一书记")).then(
        PostingCorrected(
            posting="P1",
            person="G1",
            tier=Tier.DISTRICT,
            category=Category.RURAL_GUIDE,
            sender="BUREAU",
            host="V2",
            starts=STARTS,
            ends=ENDS,
            basis="广文〔2026〕3号",
            mode=Mode.SECONDMENT,
            duty="第一书记",
            direction=None,
            sender_contact=None,
            host_contact=None,
            arrived_on=ON,
            ended_on=None,
            end_reason=None,
            fields=("host", "duty"),
            source="a.xlsx",
        )
    )
    given(POSTING, *SERVING).when(correct(Course(ON))).nothing()


def test_a_correction_moves_the_course_back_and_forth() -> None:
    def after(*events: Any, course: Course) -> Any:
        before = given(POSTING, *events)
        made = before.when(correct(course)).events
        assert made is not None
        return POSTING.fold(made, before.state)

    ended = Course(ON, LATER, EndReason.RECALLED)
    assert after(*SERVING, course=Course()) == Approved("P1", terms())
    assert after(*SERVING, course=ended) == Ended("P1", terms(), ON, LATER, EndReason.RECALLED)
    assert after(*SERVING, COMPLETED, course=Course(ON)) == Serving("P1", terms(), ON)
    assert after(*SERVING, COMPLETED, PostingClosed(posting="P1"), course=ended) == Closed(
        "P1", terms(), ON, LATER, EndReason.RECALLED
    )


def test_a_correction_obeys_the_same_rules() -> None:
    serving = given(POSTING, *SERVING)
    serving.when(correct(Course(date(2025, 1, 1)))).refused("arrived-outside-the-period")
    serving.when(correct(Course(ON, None, EndReason.RECALLED))).refused("end-reason-without-end")
    serving.when(correct(Course(ON, LATER))).refused("end-reason-missing")
    serving.when(correct(Course(ON, date(2026, 2, 1), EndReason.RECALLED))).refused("ended-before-arrival")
    serving.when(correct(Course(ON), ends=date(2025, 1, 1))).refused("ends-before-it-starts")
    given(POSTING, PROPOSED).when(correct(Course(ON))).refused("posting-not-approved")
    given(POSTING).when(correct(Course())).refused("posting-unknown")


def test_a_posting_of_an_erased_person_can_be_corrected_but_nobody_erased_is_put_in() -> None:
    erased = facts(cadre=ErasedPerson("G1"))
    assert given(POSTING, *SERVING).when(CorrectPosting(terms(duty="队员"), Course(ON), erased)).events
    given(POSTING, *SERVING).when(
        CorrectPosting(terms(person="G2"), Course(ON), facts(cadre=ErasedPerson("G2")))
    ).refused("person-erased")
