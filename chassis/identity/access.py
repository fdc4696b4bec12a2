"""Who is asking, for FastAPI: `who: Annotated[Principal, Depends(require(Role.OFFICE))]`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from chassis.identity.principal import ROLE_NAMES, Principal, Role
from chassis.identity.session import Sessions
from chassis.identity.tokens import Verifier
from chassis.problems import Forbidden, Unauthenticated

_documented = HTTPBearer(
    auto_error=False, description="a token of the identity provider; in development `./xiapai token`"
)


@dataclass(frozen=True, slots=True)
class Access:
    """How an application knows people: by bearer token, and by the desk's session."""

    verifier: Verifier
    sessions: Sessions


def set_access(app: FastAPI, access: Access) -> None:
    """Once per application, mounted ones too: before it serves."""
    app.state.access = access


async def principal(
    request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_documented)] = None
) -> Principal:
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


def require(*roles: Role) -> Callable[..., Awaitable[Principal]]:
    """A dependency: the principal, if its role is one of these; else 403 `role-not-allowed`."""
    allowed = "、".join(f"{ROLE_NAMES[role][0]}({role.value})" for role in roles)

    async def permitted(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if who.role not in roles:
            raise Forbidden("role-not-allowed", role=f"{ROLE_NAMES[who.role][0]}({who.role.value})", allowed=allowed)
        return who

    return permitted


def _challenge(error: str | None = None) -> dict[str, str]:
    return {"WWW-Authenticate": 'Bearer realm="xiapai"' + (f', error="{error}"' if error else "")}
