"""追踪: with one setting, one trace leads from a command to the row and through every reaction, over all processes."""

import os
import time
from pathlib import Path

import pytest

from command.chaos.words import approve, arrive, person, propose, unit
from tests.e2e.conftest import prepared
from tests.e2e.system import give, new_key, records, roster, until
from tests.infra.collector import Collector, Seen, collector
from tests.infra.servers import Infra

PERSONAL = ("演示", "单位", "广文", "R7001", "P7001", "V7001")
"""Names, and the codes of persons, postings and units."""


def family(spans: list[Seen], last: Seen) -> list[str]:
    """The names from a span up to the caller's."""
    by_id = {one.id: one for one in spans}
    found = [last.name]
    while (parent := by_id.get(last.parent)) is not None:
        last = parent
        found.append(last.name)
    return found


def test_one_trace_leads_from_a_command_to_the_row_and_through_every_reaction(
    infra: Infra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")  # milliseconds that a span waits for others to go along
    caller, root = os.urandom(16).hex(), os.urandom(8).hex()
    with collector() as traces, prepared(infra, tmp_path) as whole:
        whole.environment["XIAPAI_OTLP_ENDPOINT"] = traces.url
        whole.start()
        whole.until_ready()
        with whole.client() as http:
            records(http, unit("BUREAU", "DISTRICT_DEPARTMENT"), unit("V7001"), person("R7001"))
            # Lately, by the system's clock: what fell due long ago lapses, which would be one more branch.
            records(http, propose("P7001", "R7001", "V7001", starts="2026-06-22"), approve("P7001"))
            arrival = arrive("P7001", on="2026-06-23")
            answer = give(http, arrival, new_key() | {"traceparent": f"00-{caller}-{root}-01"})
            assert answer.headers["traceparent"][3:35] == caller
            assert roster(http, answer.json()["position"])["P7001"]["status"] == "serving"

        def ours() -> list[Seen]:
            return [one for one in traces.spans if one.trace == caller]

        def told() -> bool:
            """The ends of all branches, and whatever they hang on: each process sends its spans when it comes to it."""
            spans = ours()
            ids = {one.id for one in spans} | {root}
            return (
                sum(one.name == "deliver notify-reminders" for one in spans) >= 2
                and any(one.name.startswith("deliver projection-") for one in spans)
                and all(one.parent in ids for one in spans)
            )

        until(told, "every branch of the trace is told")
        _one_trace(ours(), root)
        _shared_work_is_linked(traces)
        for one in traces.spans:
            assert not any(what in str((one.name, one.attributes)) for what in PERSONAL), one
        assert not any(what.encode() in traces.raw for what in PERSONAL)
        assert not any(one.name.endswith(("/livez", "/readyz", "/metrics")) for one in traces.spans)


def _one_trace(spans: list[Seen], root: str) -> None:
    route = "POST /api/registry/postings/{posting:path}/arrive"
    (request,) = [one for one in spans if one.parent == root]
    assert request.name == route and request.attributes["http.response.status_code"] in (200, 201)
    ids = {one.id for one in spans}
    assert all(one.parent in ids for one in spans if one is not request), "every other span has its parent here"
    assert not any(one.failed for one in spans)
    assert {one.process.split("-")[0] for one in spans} == {"api", "relay", "worker"}

    (row,) = [one for one in spans if one.name.startswith("deliver projection-")]
    assert family(spans, row)[1:] == ["publish registry", "append", route]
    assert row.attributes["xiapai.event"] == "posting.arrived" and row.process.startswith("worker")
    decided = [one for one in spans if one.name == "decide" and one.parent == request.id]
    assert decided and family(spans, decided[0]) == ["decide", route]

    reminded = [family(spans, one) for one in spans if one.name == "deliver notify-reminders"]
    to_the_arrival = ["publish registry", "append", route]
    assert sorted(reminded) == sorted(
        [
            "deliver notify-reminders",
            "publish notify",
            "append",
            "react",
            "deliver notify-due-reminder",
            f"publish {service}",
            "append",
            "react",
            f"deliver {handler}",
            *to_the_arrival,
        ]
        for service, handler in (("reporting", "reporting-first-report"), ("assessment", "assessment-ability-baseline"))
    )


def _shared_work_is_linked(traces: Collector) -> None:
    by_id = {one.id: one for one in traces.spans}
    for shared, parts in (("commit", "append"), ("publish batch", "publish"), ("deliver batch", "deliver")):
        found = [one for one in traces.spans if one.name == shared]
        assert found and all(one.links and not one.parent for one in found), shared
        linked = [by_id[link].name for one in found for link in one.links if link in by_id]
        assert linked and all(name.split(" ")[0] == parts for name in linked), (shared, linked)


def test_a_collector_that_is_away_keeps_nobody_waiting(
    infra: Infra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
    with prepared(infra, tmp_path) as whole:
        whole.environment["XIAPAI_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
        whole.start("api")
        whole.until_ready("api")
        with whole.client() as http:
            began = time.monotonic()
            records(http, unit("BUREAU", "DISTRICT_DEPARTMENT"), unit("V1"))
            assert time.monotonic() - began < 5
        time.sleep(1)  # it is in the middle of trying again
        api = whole.running["api"]
        began = time.monotonic()
        api.terminate()
        assert api.wait(20) == 0 and time.monotonic() - began < 10
        del whole.running["api"]
