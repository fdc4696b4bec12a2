"""Who is asking, for FastAPI: `who: Annotated[Principal, Depends(require(Role.OFFICE))]`. That a token is needed, the
description says of every operation (:mod:`chassis.described`).

None of these depends on another by way of FastAPI, and a command calls them: solving five in a row took a quarter of its time.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI, Request

from chassis.identity.principal import ROLE_NAMES, Principal, Role
from chassis.identity.session import Sessions
from chassis.identity.tokens import Verifier
from chassis.problems import Forbidden, Unauthenticated


@dataclass(frozen=True, slots=True)
class Access:
    """How an application knows people: by bearer token, and by the desk's session."""

    verifier: Verifier
    sessions: Sessions


def set_access(app: FastAPI, access: Access) -> None:
    """Once per application, mounted ones too: before it serves."""
    app.state.access = access


async def principal(request: Request) -> Principal:
    """Who asks; Unauthenticated (401) when nobody can be told. A bearer token counts before a session."""
    access: Access = request.app.state.access
    given = request.headers.getlist("authorization")
    if given:
        scheme, _space, token = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("token-malformed", headers=_challenge("invalid_request"))
        return await access.verifier.principal(token.strip())
    session = access.sessions.read(request.scope)
    if session is None:
        raise Unauthenticated("token-missing", headers=_challenge())
    return session.principal


def require(*roles: Role) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency: the principal, if its role is one of these; else 403 `role-not-allowed`."""
    allowed = "、".join(f"{ROLE_NAMES[role][0]}({role.value})" for role in roles)

    async def permitted(request: Request) -> Principal:
        who = await principal(request)
        if who.role not in roles:
            raise Forbidden("role-not-allowed", role=f"{ROLE_NAMES[who.role][0]}({who.role.value})", allowed=allowed)
        return who

    return permitted


def _challenge(error: str | None = None) -> dict[str, str]:
    return {"WWW-Authenticate": 'Bearer realm="xiapai"' + (f', error="{error}"' if error else "")}
