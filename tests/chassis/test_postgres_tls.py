"""PostgreSQL over TLS, against one that takes nothing else: who is not who they say is not spoken to."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chassis.plainly import plainly
from chassis.settings import Settings
from deploy.outside.certificates import make
from ledger.database import connect
from ledger.trouble import is_trouble
from tests.infra.tls_postgres import PASSWORD, USER, tls_postgres


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ours/ca.pem` signed the server's certificate, `theirs/ca.pem` did not."""
    folder = tmp_path_factory.mktemp("authorities")
    make(folder / "ours", {"postgres": ("postgres",)})
    make(folder / "theirs", {"postgres": ("postgres",)})
    return folder


@pytest.fixture(scope="module")
def port(authorities: Path) -> Iterator[int]:
    with tls_postgres(authorities / "ours" / "postgres.pem", authorities / "ours" / "postgres-key.pem") as port:
        yield port


def settings(host: str, port: int, tls: str, authority: Path | None = None) -> Settings:
    address = f"postgresql://{USER}:{PASSWORD}@{host}:{port}/postgres"
    return Settings.model_validate(
        {"database_registry": address, "postgres_tls": tls, "postgres_ca_file": authority, "environment": "development"}
    )


async def spoken(given: Settings) -> str:
    """The version of TLS that the server says it was asked over."""
    engine = connect(given.database("registry"))
    try:
        async with engine.connect() as connection:
            found = await connection.scalar(text("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
            return str(found)
    finally:
        await engine.dispose()


async def test_a_server_of_our_authority_is_spoken_to_over_tls(port: int, authorities: Path) -> None:
    assert await spoken(settings("127.0.0.1", port, "verify-full", authorities / "ours" / "ca.pem")) == "TLSv1.3"
    assert await spoken(settings("127.0.0.1", port, "require")) == "TLSv1.3"
    assert await spoken(settings("127.0.0.1", port, "prefer")) == "TLSv1.3"


@pytest.mark.parametrize(
    ("host", "authority", "why"),
    [
        ("127.0.0.1", "theirs", "certificate"),
        ("127.0.0.2", "ours", "IP address mismatch"),
        ("127.0.0.1", None, "certificate"),
    ],
)
async def test_a_server_of_another_authority_or_name_is_not_spoken_to(
    port: int, authorities: Path, host: str, authority: str | None, why: str
) -> None:
    given = settings(host, port, "verify-full", authorities / authority / "ca.pem" if authority else None)
    with pytest.raises((ssl.SSLError, DBAPIError)) as refused:
        await spoken(given)
    said = plainly(refused.value)
    assert said is not None and why in said and "XIAPAI_POSTGRES_CA_FILE" in said and PASSWORD not in said
    assert is_trouble(refused.value), "the server's certificate may be mended while we wait"


async def test_a_server_that_insists_on_tls_refuses_us_without(port: int) -> None:
    with pytest.raises(Exception) as refused:
        await spoken(settings("127.0.0.1", port, "disable"))
    assert "refuses the login" in str(plainly(refused.value))


async def test_a_server_without_tls_is_not_spoken_to_where_tls_is_asked_for(database: str) -> None:
    for tls in ("require", "verify-full"):
        given = Settings.model_validate({"database_registry": database, "postgres_tls": tls})
        with pytest.raises(Exception) as refused:
            await spoken(given)
        assert "does not offer TLS" in str(plainly(refused.value)), tls
