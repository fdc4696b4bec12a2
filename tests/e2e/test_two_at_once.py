"""同时而来: commands that meet, and commands that are repeated."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest

from command.chaos.words import person, propose, unit
from tests.e2e.system import System, give, new_key


@pytest.fixture
def http(api_alone: System) -> Iterator[httpx.Client]:
    with api_alone.client() as made:
        yield made


def names_in(system: System, stream: str) -> list[str]:
    return [name for _, one, name in system.ledger("registry") if one == stream]


def test_of_two_proposals_at_once_for_one_cadre_one_is_refused(api_alone: System, http: httpx.Client) -> None:
    cadres = [f"R{n}" for n in range(5)]
    first = [unit("BUREAU", "DISTRICT_DEPARTMENT"), unit("V1"), unit("V2"), *map(person, cadres)]
    assert {give(http, command).status_code for command in first} == {201}
    for cadre in cadres:
        together = Barrier(2)

        def rush(host: str, cadre: str = cadre, together: Barrier = together) -> httpx.Response:
            together.wait()
            return give(http, propose(f"P-{cadre}-{host}", cadre, host))

        with ThreadPoolExecutor(2) as pool:
            taken, refused = sorted(pool.map(rush, ("V1", "V2")), key=lambda answer: answer.status_code)
        assert taken.status_code == 201
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (409, "serving-taken"), refused.text
        assert taken.json()["code"] in problem["detail"] and taken.json()["code"] in problem["detail_en"]
    streams = [stream for _, stream, _ in api_alone.ledger("registry") if stream.startswith("posting-")]
    assert len(streams) == len(cadres), "one posting of each cadre stands in the ledger"


def test_a_repeated_command_gets_its_first_answer(api_alone: System, http: httpx.Client) -> None:
    assert give(http, unit("OFFICE", "DISTRICT_DEPARTMENT")).status_code == 201
    key, command = new_key(), person("R100", "OFFICE")
    once = give(http, command, key)
    assert give(http, unit("BETWEEN")).status_code == 201
    again = give(http, command, key)
    assert (once.status_code, again.status_code) == (201, 201)
    assert (again.content, again.headers["Position"]) == (once.content, once.headers["Position"])
    assert names_in(api_alone, "person-R100") == ["person.registered", "cadre.enrolled"]


def test_a_key_that_comes_again_with_another_command_is_refused(api_alone: System, http: httpx.Client) -> None:
    key = new_key()
    assert give(http, unit("V8"), key).status_code == 201
    for other in (unit("V9"), person("R8")):
        refused = give(http, other, key)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency-key-reused")
        assert names_in(api_alone, other.stream) == []
