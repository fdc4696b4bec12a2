"""Commands, and what each comes to: a bureau that sends, villages that take in, cadres and postings."""

from dataclasses import dataclass
from typing import Any

DIVISION = "990117"
"""Not assigned, so nobody's data: GB/T 2260 knows no such division."""


@dataclass(frozen=True, slots=True)
class Command:
    """One request, what it leaves in the ledger, and what it changes: ``stream`` and ``names`` of its events, and of
    the posting on the roster the fields that it sets."""

    path: str
    body: dict[str, Any]
    stream: str
    names: tuple[str, ...]
    posting: str = ""
    sets: tuple[tuple[str, Any], ...] = ()


def unit(code: str, kind: str = "VILLAGE", parent: str | None = None) -> Command:
    """单位登记."""
    body = {"unit": code, "name": f"{code}单位", "kind": kind, "parent": parent, "division": DIVISION}
    return Command("/api/registry/units", body, f"unit-{code}", ("unit.registered",))


def person(number: str, sender: str = "BUREAU") -> Command:
    """人员登记 and 干部入册."""
    body = {"person": number, "name": f"演示{number}", "cadre": {"unit": sender, "rank": "STAFF"}}
    names = ("person.registered", "cadre.enrolled")
    return Command("/api/registry/persons", body, f"person-{number}", names)


def propose(posting: str, cadre: str, host: str, sender: str = "BUREAU", starts: str = "2026-01-05") -> Command:
    """派驻提名."""
    terms = {
        "person": cadre,
        "tier": "DISTRICT",
        "category": "RURAL_GUIDE",
        "sender": sender,
        "host": host,
        "starts": starts,
        "ends": "2027-12-31",
        "basis": "广文〔2026〕3号",
    }
    sets = {**terms, "status": "proposed", "arrived_on": None, "ended_on": None, "end_reason": None}
    return Command(
        "/api/registry/postings",
        {"posting": posting, **terms},
        f"posting-{posting}",
        ("posting.proposed",),
        posting,
        tuple(sets.items()),
    )


def approve(posting: str) -> Command:
    """派驻批准."""
    return _step(posting, "approve", {}, "posting.approved", status="approved")


def arrive(posting: str, on: str = "2026-01-06") -> Command:
    """到岗."""
    return _step(posting, "arrive", {"on": on}, "posting.arrived", arrived_on=on, status="serving")


def extend(posting: str, ends: str = "2028-06-30") -> Command:
    """派驻延期."""
    return _step(posting, "extend", {"ends": ends}, "posting.extended", ends=ends)


def end_early(posting: str, on: str = "2026-05-20") -> Command:
    """提前结束."""
    return _step(
        posting,
        "end-early",
        {"on": on, "reason": "工作需要"},
        "posting.ended-early",
        ended_on=on,
        end_reason="ENDED_EARLY",
        status="ended",
    )


def _step(posting: str, verb: str, body: dict[str, Any], name: str, **sets: Any) -> Command:
    path = f"/api/registry/postings/{posting}/{verb}"
    return Command(path, body, f"posting-{posting}", (name,), posting, tuple(sets.items()))
