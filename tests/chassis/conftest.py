"""What the tests of logging in share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chassis.login_desk import Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    one = Desk(tmp_path)
    yield one
    await one.browser.aclose()
