"""People who send commands to the registry over HTTP, as the tests speak of them."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI

from chassis.identity.development import mint
from chassis.identity.principal import Role
from chassis.settings import Settings
from services.registry.codes import make_identity_number

UNITS = [
    {"unit": "DISTRICT", "name": "示范区", "kind": "DISTRICT_DEPARTMENT"},
    {"unit": "BUREAU", "name": "教育局", "kind": "DISTRICT_DEPARTMENT", "parent": "DISTRICT"},
    {"unit": "HEALTH", "name": "卫生局", "kind": "DISTRICT_DEPARTMENT", "parent": "DISTRICT"},
    {"unit": "TOWN", "name": "东镇", "kind": "TOWN", "parent": "DISTRICT"},
    {"unit": "VILLAGE", "name": "上村", "kind": "VILLAGE", "parent": "TOWN"},
    {"unit": "VILLAGE2", "name": "下村", "kind": "VILLAGE", "parent": "TOWN"},
    {"unit": "CLINIC", "name": "上村医务室", "kind": "VILLAGE_CLINIC", "parent": "VILLAGE"},
    {"unit": "CLINIC2", "name": "下村医务室", "kind": "VILLAGE_CLINIC", "parent": "VILLAGE2"},
]


def person(number: str = "G1", unit: str = "BUREAU", **changes: Any) -> dict[str, Any]:
    """A cadre's body."""
    said = {
        "person": number,
        "name": "周敏",
        "identity_number": make_identity_number("990117", date(1980, 5, 6), int(number[1:])),
        "born": "1980-05-06",
        "phone": "13800000000",
        "cadre": {"unit": unit, "rank": "STAFF"},
    }
    return said | changes


def proposal(posting: str = "P1", **changes: Any) -> dict[str, Any]:
    """A posting's body: G1 of the bureau goes to the village for two years."""
    said = {
        "posting": posting,
        "person": "G1",
        "tier": "DISTRICT",
        "category": "RURAL_GUIDE",
        "sender": "BUREAU",
        "host": "VILLAGE",
        "starts": "2026-01-01",
        "ends": "2027-12-31",
        "basis": "广文〔2026〕3号",
        "sender_contact": "李强",
        "host_contact": "王芳",
    }
    return said | changes


@dataclass(frozen=True)
class Clerk:
    """One person with a token."""

    http: httpx.AsyncClient
    token: str

    async def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> httpx.Response:
        """Send a command; ``key`` is new each time unless given."""
        sent = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key or str(uuid4())} | headers
        return await self.http.post(f"/api/registry{path}", json=body, headers=sent)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self.token}"} | headers
        return await self.http.get(f"/api/registry{path}", headers=sent)

    async def done(self, path: str, body: Any = None) -> dict[str, Any]:
        """The receipt of a command that must be taken."""
        answer = await self.post(path, body)
        assert answer.status_code in (200, 201), answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def settle(self) -> None:
        """The units, and the cadre G1."""
        for unit in UNITS:
            await self.done("/units", unit)
        await self.done("/persons", person())


@dataclass(frozen=True)
class District:
    """The application and who may be asked to act."""

    settings: Settings
    app: FastAPI
    http: httpx.AsyncClient

    def office(self) -> Clerk:
        return self.of(Role.OFFICE)

    def clerk(self, unit: str) -> Clerk:
        return self.of(Role.CLERK, unit=unit)

    def of(self, role: Role, **scope: Any) -> Clerk:
        return Clerk(self.http, mint(self.settings, role, **scope))


def code(answer: httpx.Response) -> str:
    """The code of a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    said: str = answer.json()["code"]
    return said
