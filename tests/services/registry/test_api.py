import asyncio
from datetime import date
from urllib.parse import quote

import pytest
from sqlalchemy import text

from chassis.catalogue import mistakes
from chassis.identity.principal import Role
from services.registry.codes import make_identity_number
from services.registry.texts import CONFLICTS, TEXTS
from tests.services.registry.clerks import Clerk, District, code, person, proposal


async def test_a_posting_goes_from_proposal_to_filing_over_http(office: Clerk) -> None:
    proposed = await office.done("/postings", proposal())
    assert (proposed["stream"], proposed["version"]) == ("posting-P1", 1)
    assert (await office.done("/postings/P1/approve"))["version"] == 2
    assert (await office.done("/postings/P1/arrive", {"on": "2026-01-05"}))["version"] == 3
    await office.done("/postings/P1/extend", {"ends": "2028-06-30"})
    await office.done("/postings/P1/change-host", {"host": "VILLAGE2", "on": "2027-01-01"})
    await office.done("/postings/P1/end-early", {"on": "2028-01-31", "reason": "调任"})
    closed = await office.done("/postings/P1/close")
    now = (await office.get("/postings/P1")).json()
    assert (now["state"], now["host"], now["ended_on"], now["version"]) == ("closed", "VILLAGE2", "2028-01-31", 7)
    assert closed["version"] == 7 and closed["position"] > proposed["position"]


async def test_a_retried_command_gets_its_first_answer(office: Clerk) -> None:
    first = await office.post("/postings", proposal(), key="k1")
    await office.done("/postings/P1/approve")
    again = await office.post("/postings", proposal(), key="k1")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json() and first.headers["Position"] == again.headers["Position"]
    other = await office.post("/postings", proposal(duty="队员"), key="k1")
    assert (other.status_code, code(other)) == (422, "idempotency-key-reused")


async def test_without_a_code_the_request_makes_one_and_a_retry_the_same(office: Clerk) -> None:
    body = proposal()
    del body["posting"]
    first, again = await office.post("/postings", body, key="k1"), await office.post("/postings", body, key="k1")
    assert first.json() == again.json() and first.json()["code"].startswith("P")


async def test_a_command_needs_an_idempotency_key(office: Clerk, district: District) -> None:
    answer = await district.http.post(
        "/api/registry/postings/P1/close", headers={"Authorization": f"Bearer {office.token}"}
    )
    assert (answer.status_code, code(answer)) == (400, "idempotency-key-missing")


async def test_of_two_proposals_at_once_for_one_cadre_one_is_refused(office: Clerk) -> None:
    answers = await asyncio.gather(
        *(office.post("/postings", proposal(f"P{n}", host=host)) for n, host in ((1, "VILLAGE"), (2, "VILLAGE2")))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert code(refused) == "serving-taken"


async def test_a_doctor_holds_two_clinics_at_once_but_no_village_besides(office: Clerk) -> None:
    doctor = {"category": "SUPPORT_DOCTOR"}
    await office.done("/postings", proposal("P1", host="CLINIC", **doctor))
    await office.done("/postings", proposal("P2", host="CLINIC2", **doctor))
    assert code(await office.post("/postings", proposal("P3"))) == "serving-taken"


async def test_a_cadre_is_free_again_after_the_end_and_after_a_refusal(office: Clerk) -> None:
    await office.done("/postings", proposal("P1"))
    await office.done("/postings/P1/decline", {"reason": "名额已满"})
    await office.done("/postings", proposal("P2"))
    await office.done("/postings/P2/approve")
    await office.done("/postings/P2/recall", {"on": "2026-03-01", "ground": "HEALTH"})
    assert code(await office.post("/postings", proposal("P3", starts="2026-03-01"))) == "serving-taken"
    await office.done("/postings", proposal("P3", starts="2026-03-02"))


async def test_an_extension_into_the_next_posting_is_refused(office: Clerk) -> None:
    await office.done("/postings", proposal("P1", ends="2026-12-31"))
    await office.done("/postings", proposal("P2", starts="2027-01-01"))
    await office.done("/postings/P1/approve")
    assert code(await office.post("/postings/P1/extend", {"ends": "2027-01-01"})) == "serving-taken"


async def test_a_clerk_acts_within_their_own_subtree_and_beyond_it_nothing_exists(
    office: Clerk, district: District
) -> None:
    bureau, health, town = district.clerk("BUREAU"), district.clerk("HEALTH"), district.clerk("TOWN")
    assert (await health.post("/postings", proposal())).status_code == 404
    assert (await bureau.post("/postings", proposal())).status_code == 201
    assert (await bureau.post("/postings/P1/approve")).status_code == 403
    await office.done("/postings/P1/approve")
    for outsider in (bureau, health):
        assert code(await outsider.post("/postings/P1/arrive", {"on": "2026-01-05"})) == "not-found"
    assert (await town.post("/postings/P1/arrive", {"on": "2026-01-05"})).status_code == 200
    assert [(await who.get("/postings/P1")).status_code for who in (bureau, town, health)] == [200, 200, 404]
    assert (await district.of(Role.CADRE, person="G1").get("/postings/P1")).status_code == 200
    assert (await district.of(Role.CADRE, person="G2").get("/postings/P1")).status_code == 404


async def test_a_clerk_does_not_propose_the_cadre_of_another_unit(office: Clerk, district: District) -> None:
    await office.done("/persons", person("G2", "HEALTH"))
    assert (await district.clerk("BUREAU").post("/postings", proposal(person="G2"))).status_code == 404


async def test_a_merged_units_postings_follow_its_successor(office: Clerk, district: District) -> None:
    await office.done("/postings", proposal())
    health = district.clerk("HEALTH")
    assert (await health.get("/postings/P1")).status_code == 404
    await office.done("/units/BUREAU/merge", {"into": "HEALTH", "on": "2026-06-01"})
    assert (await health.get("/postings/P1")).status_code == 200


async def test_a_department_decides_within_its_categories(office: Clerk, district: District) -> None:
    await office.done("/postings", proposal())
    other = district.of(Role.DEPARTMENT, categories=["SUPPORT_DOCTOR"])
    own = district.of(Role.DEPARTMENT, categories=["RURAL_GUIDE"])
    assert (await other.post("/postings/P1/approve")).status_code == 404
    assert (await own.post("/postings/P1/approve")).status_code == 200


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.INSPECTOR, Role.AUDITOR])
async def test_who_only_looks_changes_nothing(office: Clerk, district: District, role: Role) -> None:
    answer = await district.of(role).post("/postings", proposal())
    assert (answer.status_code, code(answer)) == (403, "role-not-allowed")


async def test_personal_fields_are_shown_to_those_who_may_and_stand_sealed_in_the_ledger(
    office: Clerk, district: District
) -> None:
    await office.done("/postings", proposal())
    shown = (await office.get("/persons/G1")).json()
    assert (shown["name"], shown["phone"], shown["born"]) == ("周敏", "13800000000", "1980-05-06")
    assert (await district.clerk("BUREAU").get("/persons/G1")).json()["name"] == "周敏"
    assert (await district.clerk("TOWN").get("/persons/G1")).status_code == 404
    assert (await district.of(Role.OPERATOR).get("/persons/G1")).status_code == 403
    contact = (await office.get("/postings/P1")).json()["sender_contact"]
    assert (await office.get(f"/persons/{contact}")).json()["name"] == "李强"
    held = await _everything(district)
    for secret in ("周敏", "李强", "王芳", "13800000000", "1980-05-06", "19800506"):
        assert secret not in held


async def test_an_identity_number_stands_once_until_its_person_is_erased(office: Clerk) -> None:
    number = make_identity_number("990117", date(1980, 5, 6), 1)
    assert code(await office.post("/persons", person("G2", identity_number=number))) == "identity-taken"
    await office.done("/persons/G1/erase", {"ground": "本人申请"})
    await office.done("/persons", person("G2", identity_number=number))


async def test_a_corrected_identity_number_frees_the_old_one(office: Clerk) -> None:
    old, new = (make_identity_number("990117", date(1980, 5, 6), n) for n in (1, 7))
    await office.done("/persons/G1/correct", _correction() | {"identity_number": new})
    assert code(await office.post("/persons", person("G3", identity_number=new))) == "identity-taken"
    await office.done("/persons", person("G3", identity_number=old))


async def test_an_erased_person_is_gone_for_good(office: Clerk, district: District) -> None:
    await office.done("/postings", proposal())
    await office.done("/persons/G1/erase", {"ground": "本人申请"})
    shown = (await office.get("/persons/G1")).json()
    assert (shown["state"], shown["name"]) == ("erased", None)
    assert code(await office.post("/persons/G1/correct", _correction())) == "person-erased"
    assert code(await office.post("/postings/P1/approve")) == "person-erased"
    registry = district.app.state.registry
    assert await registry.context.keyring.key("G1") is None


async def test_a_refusal_says_what_is_wrong_in_two_languages(office: Clerk) -> None:
    answer = await office.post("/postings", proposal(host="NOWHERE"))
    said = answer.json()
    assert answer.status_code == 422 and said["code"] == "host-unknown"
    assert "NOWHERE" in said["detail"] and "NOWHERE" in said["detail_en"]


async def test_what_the_caller_has_seen_is_waited_for(office: Clerk) -> None:
    done = await office.done("/postings", proposal())
    assert (await office.get("/postings/P1", After=f"registry@{done['position']}")).status_code == 200
    late = await office.post("/postings/P1/approve", After=f"registry@{done['position'] + 1000}")
    assert (late.status_code, code(late)) == (409, "not-yet-known")


async def test_two_moves_that_together_make_a_circle_are_not_both_recorded(office: Clerk) -> None:
    for unit in ("A", "B"):
        await office.done("/units", {"unit": unit, "name": unit, "kind": "TOWN"})
    moves = (("A", "B"), ("B", "A"))
    answers = await asyncio.gather(
        *(office.post(f"/units/{unit}/move", {"parent": parent, "on": "2026-05-01"}) for unit, parent in moves)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 422]


@pytest.mark.parametrize(
    "body",
    [
        {"unit": "V\x011", "name": "村", "kind": "VILLAGE"},
        {"unit": "V1", "name": "村", "kind": "VILLA"},
        {"unit": "V1", "name": "村", "kind": "VILLAGE", "colour": "red"},
        {"unit": "V" * 33, "name": "村", "kind": "VILLAGE"},
        {"unit": "V1", "name": "\x00", "kind": "VILLAGE"},
        {"unit": "V1", "name": "  ", "kind": "VILLAGE"},
    ],
)
async def test_a_malformed_command_is_refused_field_by_field(office: Clerk, body: dict[str, str]) -> None:
    answer = await office.post("/units", body)
    assert (answer.status_code, code(answer)) == (422, "input-invalid")
    assert len(answer.json()["errors"]) == 1


def test_every_refusal_has_its_sentences() -> None:
    assert mistakes(TEXTS) == []
    assert set(TEXTS) >= CONFLICTS


def _correction() -> dict[str, object]:
    body = person()
    del body["person"]
    return body


async def _everything(district: District) -> str:
    """All that the registry's database holds, as text."""
    found = []
    async with district.app.state.registry.engine.connect() as connection:
        tables = await connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        for table in tables.all():
            rows = await connection.execute(text(f'SELECT * FROM "{table}"'))
            found += [
                bytes(v).decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for row in rows for v in row
            ]
    return "\n".join(found)


@pytest.mark.parametrize("written", ["川/001", "村 7", "a\\b", "中文村", "50%", "A?b#c"])
async def test_a_unit_is_reached_by_whatever_code_the_office_gave_it(office: Clerk, written: str) -> None:
    there = f"/units/{quote(written, safe='')}"
    await office.done("/units", {"unit": written, "name": "某村", "kind": "VILLAGE"})
    await office.done(f"{there}/rename", {"name": "新村", "on": "2026-01-01"})
    now = (await office.get(there)).json()
    assert (now["unit"], now["name"], now["version"]) == (written, "新村", 2)


async def test_a_code_typed_with_full_width_digits_is_the_same_code_and_dots_alone_are_none(office: Clerk) -> None:
    unit = {"name": "新合村", "kind": "VILLAGE"}
    made = await office.post("/units", unit | {"unit": "Ｘ１２"})
    assert (made.status_code, made.json()["code"]) == (201, "X12")
    for dots in (".", ".."):
        assert (await office.post("/units", unit | {"unit": dots})).status_code == 422


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "1899-12-31", "2200-01-01"])
async def test_days_that_nobody_means_are_refused_wherever_one_comes_in(office: Clerk, day: str) -> None:
    born = {"name": "王芳", "born": day}
    bodies = (("/units/VILLAGE/rename", {"name": "新名", "on": day}, "body.on"), ("/persons", born, "body.born"))
    for path, body, where in bodies:
        answer = await office.post(path, body)
        assert (answer.status_code, code(answer)) == (422, "input-invalid")
        assert [(error["where"], error["code"]) for error in answer.json()["errors"]] == [(where, "day-out-of-range")]
