"""Whatever is sent to it, the API answers as `/docs` says: never 5xx, never a status, a media type or a body that is not
described. Fuzzed by schema and against it (Schemathesis), and distorted beyond it, on the whole running system.

1,500 requests; 20,000 with `--full`, by the same seed.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chassis.identity.development import mint
from chassis.identity.principal import Role
from command.chaos.words import approve, arrive, person, propose, unit
from tests.conftest import Scale
from tests.e2e.conftest import prepared
from tests.e2e.system import System, records, roster
from tests.infra.servers import Infra

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = "/api/query/changes"
"""Server-sent events: an answer without an end is looked at in the tests of the desk."""
KNOWN = {
    "unit": ["BUREAU", "V1"],
    "person": ["R1"],
    "posting": ["P1"],
    "period": ["2026H1"],
    "n": ["7", "16", "24"],
    "id": ["P1-1", "P1", "REPORT_DUE-P1-1"],
}
"""What is really there, so that the fuzz does not end at 404."""
MEDIA = ["application/json", "text/plain", "application/xml", "multipart/form-data; boundary=x", "application/json; charset=utf-7", ""]  # fmt: skip
STRANGE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60).map(str.strip)


@pytest.fixture(scope="module")
def started(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One cadre on a posting."""
    with prepared(infra, tmp_path_factory.mktemp("edges")) as made:
        made.start()
        made.until_ready()
        with made.client() as http:
            records(http, unit("BUREAU", "DISTRICT_DEPARTMENT"), unit("V1"), person("R1"))
            assert len(roster(http, records(http, propose("P1", "R1", "V1"), approve("P1"), arrive("P1")))) == 1
        yield made


def bearers(system: System) -> list[str | None]:
    """Tokens of everybody, the office's more often than the others', and none."""
    scopes: dict[Role, dict[str, Any]] = {
        Role.CLERK: {"unit": "BUREAU"},
        Role.LEADER: {"unit": "V1"},
        Role.CADRE: {"person": "R1"},
        Role.DEPARTMENT: {"categories": ["RURAL_GUIDE"]},
    }
    tokens = {role: mint(system.settings, role, **scopes.get(role, {})) for role in Role}
    return [tokens[Role.OFFICE]] * 8 + list(tokens.values()) + [None, "a.b.c"]


def test_every_answer_is_as_documented(started: System, scale: Scale) -> None:
    schema = schemathesis.openapi.from_url(f"{started.url}/openapi.json")
    found = list(schema.get_all_operations())
    operations = [one.ok() for one in found if isinstance(one, Ok) and one.ok().path != ENDLESS]
    assert len(operations) == len(found) - 1
    each = scale(1_500, 20_000) // len(operations) + 1
    tokens = bearers(started)
    answered: Counter[int] = Counter()
    wrong: dict[str, str] = {}
    with httpx.Client(base_url=started.url, timeout=30, trust_env=False) as http:
        for operation in operations:
            cases = st.one_of(
                operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
                operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
            )

            @seed(20260701)
            @settings(
                max_examples=each,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=cases, draw=st.data())
            def ask(case: Any, draw: st.DataObject) -> None:
                for name in set(case.path_parameters or {}) & set(KNOWN):
                    if draw.draw(st.booleans()):
                        case.path_parameters[name] = draw.draw(st.sampled_from(KNOWN[name]))
                fresh = st.uuids(version=4).map(str)
                headers = {"Idempotency-Key": draw.draw(fresh | fresh | fresh | st.just("k1") | STRANGE)}
                if token := draw.draw(st.sampled_from(tokens)):
                    headers["Authorization"] = f"Bearer {token}"
                if draw.draw(st.integers(0, 3)) == 0:
                    answer = distorted(http, case, headers, draw)
                else:
                    answer = case.call(headers=headers, timeout=30)
                answered[answer.status_code] += 1
                try:
                    case.validate_response(answer, checks=CHECKS)
                except Exception as error:  # told at the end with all others: one run names every mistake
                    wrong.setdefault(f"{case.method} {case.operation.path} {answer.status_code}", str(error)[:1500])

            ask()
    print(f"{answered.total()} requests to {len(operations)} operations: {dict(sorted(answered.items()))}")
    assert not wrong, "\n\n".join(f"{where}\n{error}" for where, error in wrong.items())
    assert answered.total() >= scale(1_500, 20_000)
    assert {200, 400, 401, 403, 404, 415, 422} <= set(answered), "the fuzz came everywhere"


def distorted(http: httpx.Client, case: Any, headers: dict[str, str], draw: st.DataObject) -> httpx.Response:
    """The same address with what no schema would make: any bytes for a body, any media type, any query and headers."""
    query: list[tuple[str, Any]] = draw.draw(st.lists(st.tuples(st.sampled_from(["limit", "cursor", "as_of", "known", "q", "status", "x"]), st.text(max_size=20)), max_size=3))  # fmt: skip
    headers = headers | {draw.draw(st.sampled_from(["After", "If-None-Match", "traceparent", "Accept", "Origin"])): draw.draw(STRANGE)}  # fmt: skip
    body = draw.draw(st.none() | st.binary(max_size=200) | st.sampled_from([b"[" * 5000, b'{"a":' * 2000, b'{"on":1e999}', b'"\xff"']))  # fmt: skip
    if body is not None:
        headers["Content-Type"] = draw.draw(st.sampled_from(MEDIA))
    request = http.build_request(case.method, case.formatted_path, params=query, headers=headers, content=body)
    return http.send(request)
