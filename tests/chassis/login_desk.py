"""The desk with its login, the development issuer and a browser, in one process over ASGI."""

import re
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, Request

from chassis.http import make_app
from chassis.identity.access import principal, require, set_access
from chassis.identity.csrf import guard_sessions
from chassis.identity.demo_people import demo_people
from chassis.identity.development import PATH, DevelopmentIssuer
from chassis.identity.login import current_session, mount_login
from chassis.identity.principal import Principal, Role
from chassis.identity.session import Session
from chassis.identity.wiring import access_of, login_of
from chassis.settings import Settings

URL = "http://desk.local:8080"
PAGE = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


class Desk:
    """The desk, the issuer beside it, and a browser's cookies."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.settings = Settings(environment="development", data=data, public_url=URL, **settings)
        self.issuer = DevelopmentIssuer(self.settings, demo_people(units={"U1": "太平街"}))
        self.app = make_app("desk")
        self.browser = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=URL)
        self.access = access_of(self.settings, self.browser)
        login = login_of(self.settings, self.browser, self.access.sessions)
        set_access(self.app, self.access)
        mount_login(self.app, login)
        self.app.mount(PATH, self.issuer.app)
        guard_sessions(self.app, self.access.sessions, URL, exempt=(PATH,))
        _pages(self.app)

    async def to_the_choice(self, wanted: str = "/who?q=1") -> httpx.Response:
        self.browser.cookies.clear()
        answer = await self.browser.get(wanted, headers=PAGE)
        assert answer.status_code == 302
        return await self.browser.get(answer.headers["location"])

    async def choose(self, page: httpx.Response, **chosen: str) -> httpx.Response:
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        return await self.browser.post(f"{PATH}/authorize", data=hidden | chosen)

    async def log_in(self, **chosen: str) -> httpx.Response:
        back = await self.choose(await self.to_the_choice(), **(chosen or {"subject": "demo-clerk-1"}))
        assert back.status_code == 303, back.text
        return await self.browser.get(back.headers["location"])


def _pages(app: FastAPI) -> None:
    @app.get("/who")
    async def who(session: Annotated[Session, Depends(current_session)]) -> dict[str, Any]:
        one = session.principal
        return {
            "sub": one.subject,
            "role": one.role,
            "unit": one.unit,
            "name": one.name_for_display,
            "csrf": session.csrf,
        }

    @app.post("/change")
    async def change(who: Annotated[Principal, Depends(require(Role.CLERK))]) -> str:
        return who.subject

    @app.post("/form")
    async def form(who: Annotated[Principal, Depends(principal)], request_body: Annotated[Any, Depends(_form)]) -> Any:
        return request_body


async def _form(request: Request) -> Any:
    return dict(await request.form())
