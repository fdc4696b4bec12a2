"""One posting: how it stands, who answers for it at both ends, and what was recorded of it when and by whom."""

from datetime import date
from typing import Any

from fastapi import APIRouter, Request, Response
from xiapai_contracts.terms import ZH

from chassis.problems import NotFound
from services.projection.desk import say
from services.projection.desk.looking import OnDay
from services.projection.desk.pages import DeskRoute, page
from services.projection.desk.texts import FIELDS, zh
from services.projection.roster import Wanted, history, roster
from services.projection.unit_names import named

router = APIRouter(route_class=DeskRoute, include_in_schema=False)

_WORDS = {term.value: word for term, word in ZH.items()}
_NAMED = ("sender", "sender_contact", "host_contact")


@router.get("/roster/{posting:path}")
async def posting(request: Request, look: OnDay, posting: str) -> Response:
    """The page; NotFound also for what is outside one's scope."""
    wanted = Wanted(statuses=(), posting=posting)
    found, _ = await roster(look.connection, look.lens, look.day, wanted, ("", ""), 1)
    if not found:
        raise NotFound("not-found")
    told = await history(look.connection, look.lens, posting)
    names = await named(look.connection, look.lens, look.day, _units_in(told))
    for end in ("sender_contact", "host_contact"):
        names[found[0][end]] = found[0][f"{end}_name"] or found[0][end]
    return page(
        request,
        look.session,
        "posting.html",
        look=look,
        item=found[0],
        words=_WORDS,
        told=[one | {"changed": _changes(one, names)} for one in reversed(told)],
    )


def _units_in(told: list[dict[str, Any]]) -> set[str]:
    found: set[str] = set()
    for one in told:
        for field, values in one["changed"].items():
            for value in values:
                if field == "sender" and value:
                    found.add(value)
                if field == "hosts":
                    found |= {stay["host"] for stay in value or ()}
    return found


def _changes(one: dict[str, Any], names: dict[str, str]) -> list[tuple[str, str | None, str]]:
    """What an event changed, in words: field, before (None in the first), after."""
    first = all(before is None for before, _ in one["changed"].values())
    changes = []
    for field, (before, after) in one["changed"].items():
        if field in FIELDS and not (first and after in (None, False)):
            changes.append(
                (zh(FIELDS[field]), None if first else _said(field, before, names), _said(field, after, names))
            )
    return changes


def _said(field: str, value: Any, names: dict[str, str]) -> str:
    match value:
        case None | []:
            return "—"
        case bool():
            return zh("yes" if value else "no")
        case date():
            return say.day(value)
        case list():
            stays = [(names.get(stay["host"], stay["host"]), stay["since"]) for stay in value]
            return ";".join(
                name if since is None else zh("since", name=name, day=say.day(since)) for name, since in stays
            )
        case str() if field in _NAMED:
            return names.get(value, value)
        case _:
            return _WORDS.get(value, str(value))
