from dataclasses import replace
from datetime import date

from xiapai_contracts.registry import (
    CadreCorrected,
    CadreEnrolled,
    EarlierPostCorrected,
    EarlierPostRecorded,
    PersonCorrected,
    PersonErased,
    PersonRegistered,
)
from xiapai_contracts.terms import Rank

from services.registry.earlier_post import EarlierPost
from services.registry.person import (
    PERSON,
    CadreDetails,
    CorrectCadre,
    CorrectPerson,
    EnrolCadre,
    ErasePerson,
    RecordEarlierPost,
    RegisterPerson,
)
from services.registry.unit import NoUnit
from tests.services.registry.words import open_unit
from tests.support.given import given

BUREAU = open_unit("BUREAU")
DETAILS = CadreDetails("BUREAU", Rank.STAFF)
REGISTERED = PersonRegistered(person="G1", sealed="one")
ENROLLED = CadreEnrolled(person="G1", unit="BUREAU", rank=Rank.STAFF)
ERASED = PersonErased(person="G1", ground="本人申请")
POST = EarlierPost("副镇长", False, date(2018, 3, 1), unit="T1", ends=date(2020, 2, 29))


def test_a_person_is_registered_once() -> None:
    given(PERSON).when(RegisterPerson("G1", "one")).then(REGISTERED)
    given(PERSON, REGISTERED).when(RegisterPerson("G1", "sealed anew")).nothing()
    given(PERSON, REGISTERED).when(RegisterPerson("G1", "two", ("name",))).refused("person-already-registered")


def test_a_correction_names_the_fields_and_never_their_values() -> None:
    given(PERSON, REGISTERED).when(CorrectPerson("two", ("phone",), "a.xlsx")).then(
        PersonCorrected(person="G1", sealed="two", fields=("phone",), source="a.xlsx")
    )
    given(PERSON, REGISTERED).when(CorrectPerson("sealed anew", ())).nothing()


def test_a_cadre_is_enrolled_by_a_unit_that_exists() -> None:
    given(PERSON, REGISTERED).when(EnrolCadre(DETAILS, BUREAU)).then(ENROLLED)
    given(PERSON, REGISTERED, ENROLLED).when(EnrolCadre(DETAILS, BUREAU)).nothing()
    given(PERSON, REGISTERED).when(EnrolCadre(DETAILS, NoUnit())).refused("unit-unknown")
    given(PERSON).when(EnrolCadre(DETAILS, BUREAU)).refused("person-unknown")


def test_a_cadre_enrolled_otherwise_is_corrected_not_enrolled_again() -> None:
    other = replace(DETAILS, duty="科员")
    given(PERSON, REGISTERED, ENROLLED).when(EnrolCadre(other, BUREAU)).refused("cadre-already-enrolled")
    given(PERSON, REGISTERED, ENROLLED).when(CorrectCadre(other, BUREAU, "a.xlsx")).then(
        CadreCorrected(person="G1", unit="BUREAU", rank=Rank.STAFF, duty="科员", fields=("duty",), source="a.xlsx")
    )
    given(PERSON, REGISTERED).when(CorrectCadre(other, BUREAU)).refused("person-not-a-cadre")


def test_an_earlier_post_is_recorded_once_and_then_corrected() -> None:
    recorded = EarlierPostRecorded(
        person="G1",
        post=POST.post,
        duty="副镇长",
        principal_leader=False,
        starts=POST.starts,
        unit="T1",
        ends=POST.ends,
    )
    cadre = (REGISTERED, ENROLLED)
    given(PERSON, *cadre).when(RecordEarlierPost(POST, open_unit("T1"))).then(recorded)
    given(PERSON, *cadre, recorded).when(RecordEarlierPost(POST, open_unit("T1"))).nothing()
    given(PERSON, *cadre, recorded).when(
        RecordEarlierPost(replace(POST, principal_leader=True), open_unit("T1"), "a.xlsx")
    ).then(
        EarlierPostCorrected(
            person="G1",
            post=POST.post,
            duty="副镇长",
            principal_leader=True,
            starts=POST.starts,
            unit="T1",
            ends=POST.ends,
            fields=("principal_leader",),
            source="a.xlsx",
        )
    )


def test_an_earlier_post_names_a_unit_that_is_known_or_one_in_words() -> None:
    cadre = given(PERSON, REGISTERED, ENROLLED)
    cadre.when(RecordEarlierPost(POST, NoUnit())).refused("unit-unknown")
    cadre.when(RecordEarlierPost(replace(POST, unit=None))).refused("unit-or-name-missing")
    assert cadre.when(RecordEarlierPost(replace(POST, unit=None, unit_name="外县某镇"))).events


def test_an_earlier_post_does_not_end_before_it_starts() -> None:
    given(PERSON, REGISTERED, ENROLLED).when(
        RecordEarlierPost(replace(POST, ends=date(2018, 2, 28)), open_unit("T1"))
    ).refused("ends-before-it-starts")


def test_an_erased_person_is_erased_for_ever() -> None:
    given(PERSON, REGISTERED, ENROLLED).when(ErasePerson("本人申请")).then(ERASED)
    erased = given(PERSON, REGISTERED, ENROLLED, ERASED)
    erased.when(ErasePerson("再次申请")).nothing()
    erased.when(RegisterPerson("G1", "two")).refused("person-erased")
    erased.when(CorrectPerson("two", ("name",))).refused("person-erased")
    given(PERSON, REGISTERED).when(ErasePerson(" ")).refused("erasure-ground-missing")
