"""A whole system on the session's servers, in databases and topics of its own."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from command.services import services
from tests.e2e.system import System, system
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.infra.topics import delete_topics


@contextmanager
def prepared(infra: Infra, folder: Path) -> Iterator[System]:
    """With tables and topics, and nothing started."""
    databases, prefix = Databases(infra.postgres), f"t{secrets.token_hex(3)}."
    try:
        own = {service.name: databases() for service in services()}
        with system(folder, own, infra.kafka, infra.kafka_kind, prefix) as made:
            made.prepare()
            yield made
    finally:
        databases.drop_all()
        delete_topics(infra.kafka, prefix)


@pytest.fixture
def whole(infra: Infra, tmp_path: Path) -> Iterator[System]:
    """Prepared and not started."""
    with prepared(infra, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def api_alone(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The API alone, ready, shared by the tests of a file."""
    with prepared(infra, tmp_path_factory.mktemp("api")) as made:
        made.start("api")
        made.until_ready("api")
        yield made
