"""Fixtures that every folder of tests shares: the servers, a database and topics of one's own."""

import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.infra.browser import chromium as find_chromium
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.infra.topics import delete_topics
from tests.support.stuck import stuck

INFRA = pytest.StashKey[Infra]()
Scale = Callable[[int, int], int]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="faults at the scale that is promised, not at that of CI")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--full"):
        config.option.timeout = 0
    config.stash[INFRA] = Infra(os.environ.get("XIAPAI_TEST_INFRA"))


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[INFRA].close()


def pytest_exception_interact(call: "pytest.CallInfo[object]", report: pytest.TestReport) -> None:
    if call.excinfo is not None and "from pytest-timeout" in str(call.excinfo.value):
        report.sections.append(("what it waited for", stuck()))


@pytest.fixture(scope="session")
def infra(request: pytest.FixtureRequest) -> Infra:
    """`.kafka`, `.kafka_kind`, `.postgres`, and `.own_kafka()`, `.own_postgres()` for a test that kills."""
    return request.config.stash[INFRA]


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> Scale:
    """`scale(ci, full)`: the figure of a fault test, by whether `--full` was given."""
    full: bool = request.config.getoption("--full")
    return lambda ci, at_full: at_full if full else ci


@pytest.fixture
def databases(infra: Infra) -> Iterator[Databases]:
    """Call it for the DSN of one more fresh database; all are dropped after the test."""
    made = Databases(infra.postgres)
    yield made
    made.drop_all()


@pytest.fixture
def database(databases: Databases) -> str:
    """DSN of a fresh, empty database for this test."""
    return databases()


@pytest.fixture
def topic_prefix(infra: Infra) -> Iterator[str]:
    """`t1a2b3c.`: what this test puts before the names of its topics and consumer groups."""
    prefix = f"t{secrets.token_hex(3)}."
    yield prefix
    delete_topics(infra.kafka, prefix)


@pytest.fixture
def real_kafka(infra: Infra) -> str:
    """Bootstrap of an Apache Kafka; the test is skipped where only the embedded broker is."""
    if infra.kafka_kind != "kafka":
        reasons = "; ".join(reason for reason in infra.passed_over if reason.startswith("Kafka")) or "as was asked for"
        pytest.skip(f"needs Apache Kafka: only the embedded broker is here ({reasons})")
    return infra.kafka


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; the test is skipped where there is none."""
    path = find_chromium()
    if path is None:
        pytest.skip("needs a browser: no Chromium here (apt-get install chromium)")
    return path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what the tests ran on, and what was skipped and why."""
    infra = config.stash[INFRA]
    terminalreporter.section("what the tests ran on")
    terminalreporter.write_line(f"servers: {infra.describe}")
    terminalreporter.write_line(f"browser: {find_chromium() or 'none'}")
    for reason in infra.passed_over:
        terminalreporter.write_line(f"passed over: {reason}")
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    for text, count in reasons.most_common():
        terminalreporter.write_line(f"skipped {count}: {text}")


def _reason(report: pytest.TestReport) -> str:
    where = report.longrepr
    return where[2].removeprefix("Skipped: ") if isinstance(where, tuple) else str(where)
