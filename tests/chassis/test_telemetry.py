"""Logs are structured, joined by the trace, and hold nothing personal."""

import io
import json
import logging
from collections.abc import Iterator

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis.http import make_app
from chassis.metrics import Metrics
from chassis.redaction import mask
from chassis.settings import Settings
from chassis.telemetry import configure_logging
from ledger.tracing import (
    continue_trace,
    current_traceparent,
    new_traceparent,
    step,
    trace_id,
    use_tracer,
    valid_traceparent,
)

NUMBERS = ["990117197803150015", "99011719820607002X", "990117 19820607 002x", "13912345678", "139-1234-5678", "+86 13912345678", "027-87654321"]  # fmt: skip


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(Settings(log_format="json"), "trial", stream)
    yield stream
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_of_either_library_is_json_with_process_and_trace(logged: io.StringIO) -> None:
    with continue_trace(None):
        structlog.get_logger("ours").info("started", service="registry")
        logging.getLogger("aiokafka").warning("broker %s away", "b1")
        trace = trace_id()
    ours, theirs = lines(logged)
    assert (ours["event"], ours["logger"], ours["process"], ours["trace"]) == ("started", "ours", "trial", trace)
    assert (theirs["event"], theirs["level"], theirs["trace"]) == ("broker b1 away", "warning", trace)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_persons_are_masked_wherever_they_stand(logged: io.StringIO, number: str) -> None:
    log = structlog.get_logger()
    log.info(f"row of {number}", detail={"deep": [f"x{number}y", (number,)], f"key {number}": 1}, plain=number)
    logging.getLogger("other").error("values: %s", [number])
    if number.isdigit():
        log.info("as a number", value=int(number))
    assert number not in logged.getvalue() and "▇" in logged.getvalue()


@given(st.integers(min_value=0, max_value=9_999_999), st.text(alphabet="路张abc :,", max_size=5))
def test_positions_and_counts_stay_readable(number: int, around: str) -> None:
    assert mask(f"{around}{number}{around}") == f"{around}{number}{around}"


def test_secrets_are_hidden_by_their_name_and_by_their_form(logged: io.StringIO) -> None:
    log = structlog.get_logger()
    log.info(
        "x", password="p-1", kafka_password="p-2", authorization="p-3", detail={"client_secret": "p-4", "phone": "p-5"}
    )
    log.info("y", address="postgresql://user:p-6@db/x", header="Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJwLTcifQ.c2ln")
    assert "p-" not in logged.getvalue() and "eyJ" not in logged.getvalue() and "user:" in logged.getvalue()


def test_an_exception_is_told_by_kind_and_place_without_its_message(logged: io.StringIO) -> None:
    try:
        try:
            raise KeyError("单雄")
        except KeyError as cause:
            raise ValueError("Key (name)=(单雄) already exists") from cause
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("x").exception("failed too")
    assert "单雄" not in logged.getvalue()
    for line in lines(logged):
        assert "builtins.ValueError" in str(line["exception"]) and "builtins.KeyError" in str(line["exception"])
        assert "test_telemetry.py" in str(line["exception"])


async def test_the_access_log_holds_no_query_and_no_identifier(logged: io.StringIO) -> None:
    app = make_app("trial")

    @app.get("/persons/{person}")
    async def person(person: str) -> str:
        if person == "bad":
            raise RuntimeError("单雄")
        return person

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://trial") as client:
        await client.get("/persons/shan-xiong?name=单雄")
        await client.get("/persons/bad")
        await client.get("/no/shan-xiong")
        await client.get("/livez")
    text = logged.getvalue()
    assert "单雄" not in text and "shan-xiong" not in text and "%E5" not in text
    requests = [line for line in lines(logged) if line["event"] == "request"]
    assert [(line["route"], line["status"]) for line in requests] == [
        ("/persons/{person}", 200),
        ("/persons/{person}", 500),
        ("-", 404),
    ]
    failed = next(line for line in lines(logged) if line["event"] == "request-failed")
    assert failed["trace"] == requests[1]["trace"]


def test_a_trace_is_continued_and_ends_with_its_work() -> None:
    given = new_traceparent()
    assert current_traceparent() is None and trace_id() == "-"
    with continue_trace(given) as child:
        assert child[:35] == given[:35] and child != given and current_traceparent() == child
        with step("a step without an exporter") as inner:
            assert inner == child
        assert current_traceparent() == child
    assert current_traceparent() is None


@pytest.mark.parametrize("text", [None, "", "x", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "00-" + "1" * 32 + "-" + "0" * 16 + "-01",
                                  "ff-" + "1" * 32 + "-" + "1" * 16 + "-01", "00-" + "A" * 32 + "-" + "1" * 16 + "-01", new_traceparent() + "\n"])  # fmt: skip
def test_what_is_no_traceparent_is_ignored(text: str | None) -> None:
    assert valid_traceparent(text) is None
    with continue_trace(text) as fresh:
        assert valid_traceparent(fresh) == fresh


def test_exported_spans_join_the_trace_that_came_in() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    use_tracer(provider.get_tracer("trial"))
    given = new_traceparent()
    try:
        with continue_trace(given, "outer") as outer, step("inner"):
            pass
        with pytest.raises(RuntimeError), continue_trace(None, "failing"):
            raise RuntimeError("单雄")
    finally:
        use_tracer(None)
    inner, first, failing = exporter.get_finished_spans()
    assert (
        first.context is not None
        and inner.parent is not None
        and first.parent is not None
        and failing.context is not None
    )
    assert f"{first.context.trace_id:032x}" == given[3:35] and f"{first.parent.span_id:016x}" == given[36:52]
    assert f"{inner.parent.span_id:016x}" == outer[36:52]
    assert failing.parent is None and "单雄" not in failing.to_json()


async def test_metrics_are_given_in_the_form_of_prometheus() -> None:
    app = make_app("trial")
    app.add_route("/metrics", Metrics().endpoint)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://trial") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200 and "python_info" in answer.text
