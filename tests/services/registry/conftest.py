"""The registry's API in this process, on a real database of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from chassis.api_process import api_app
from chassis.settings import Settings
from chassis.tools import migrate_service
from services.registry.__main__ import SERVICE
from tests.services.registry.clerks import Clerk, District


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    return Settings(
        environment="development",
        data=tmp_path,
        database_registry=SecretStr(database),
        public_url="http://127.0.0.1:8080",
    )


@pytest.fixture
async def district(settings: Settings) -> AsyncIterator[District]:
    """A bureau, a town with two villages, and a school; who asks is chosen for each request."""
    await migrate_service(SERVICE, settings)
    app = api_app([SERVICE], settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://registry") as http,
    ):
        yield District(settings, app, http)


@pytest.fixture
async def office(district: District) -> Clerk:
    """The dispatch office, once the units stand and the cadre G1 is enrolled."""
    office = district.office()
    await office.settle()
    return office
