"""People who ask the read side over HTTP, as the tests speak of them."""

from typing import Any

import httpx
from fastapi import FastAPI

from chassis.clock import SimulatedClock
from chassis.cursor import Cursors
from chassis.http import make_app
from chassis.identity.access import principal
from chassis.identity.principal import Principal, Role
from services.projection.api import router
from services.projection.looking import Projection
from services.projection.texts import TEXTS
from tests.services.projection.story import NOW, Reader


class Asker:
    """Asks as whoever ``who`` is; the token's check is chassis's own and tested there."""

    def __init__(self, reader: Reader) -> None:
        self.who = Principal("office-1", Role.OFFICE)
        self.app: FastAPI = make_app("test", TEXTS)
        self.app.include_router(router)
        self.app.state.projection = Projection(reader.engine, SimulatedClock(NOW), Cursors(bytes(32)))
        self.app.dependency_overrides[principal] = lambda: self.who
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://test/api/query")

    def of(self, role: Role, **scope: Any) -> "Asker":
        self.who = Principal("someone", role, **scope)
        return self

    async def get(self, path: str, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
        return await self.http.get(path, params=params, headers=headers)

    async def ask(self, path: str, **params: Any) -> dict[str, Any]:
        """The answer, which must be one."""
        answer = await self.get(path, **params)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def refused(self, path: str, **params: Any) -> tuple[int, str]:
        """Status and code of a refusal, which must have both languages."""
        answer = await self.get(path, **params)
        said = answer.json()
        assert said["detail"] and said["detail_en"], said
        return answer.status_code, said["code"]


async def pages(asker: Asker, path: str, **params: Any) -> list[list[dict[str, Any]]]:
    """All pages."""
    found, cursor = [], None
    while True:
        said = await asker.ask(path, **params, **({"cursor": cursor} if cursor else {}))
        found.append(said["items"])
        cursor = said["next"]
        if cursor is None:
            return found
