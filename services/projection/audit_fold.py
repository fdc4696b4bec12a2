"""核对 the second opinion: roster, coverage and figures folded from the ledger's events in plain Python.

Written apart from the projections, from the rules alone (docs of the workbook: "The figures over it"), and sharing
nothing with them, so that a mistake in one shows as a difference and not twice.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

Facts = dict[str, Any]

_CITY = ["RURAL_GUIDE", "PUBLIC_ORDER_ENVOY", "SUPPORT_DOCTOR", "SUPPORT_TEACHER"]
_DISTRICT = [
    "RURAL_GUIDE", "PARTY_LIAISON", "COMMUNITY_POLICE", "LEGAL_VICE_PRINCIPAL", "SUPPORT_DOCTOR", "SUPPORT_TEACHER",
    "ENTERPRISE_LEADER", "ENTERPRISE_LIAISON", "TWO_WAY_EXCHANGE",
]  # fmt: skip
_TOWNSHIP = {"SUBDISTRICT", "TOWN", "FARM", "MANAGEMENT_OFFICE"}
_SEVEN = [_TOWNSHIP, {"VILLAGE"}, {"COMMUNITY"}, {"SCHOOL"}, {"TOWNSHIP_HOSPITAL"}, {"VILLAGE_CLINIC"}, {"ENTERPRISE"}]
_ENDS = {
    "posting.term-completed": "TERM_COMPLETED",
    "posting.recalled": "RECALLED",
    "posting.ended-early": "ENDED_EARLY",
}


class Fold:
    """What the events say, one after another. ``take`` gets an event's name and its fields as the contracts read them."""

    def __init__(self) -> None:
        self.units: dict[str, Facts] = {}
        self.postings: dict[str, Facts] = {}
        self.erased: set[str] = set()

    def take(self, name: str, event: Any) -> None:
        if name.startswith("unit."):
            self._unit(name, event)
        elif name.startswith("posting."):
            self._posting(name, event)
        elif name == "person.erased":
            self.erased.add(event.person)

    def _unit(self, name: str, e: Any) -> None:
        if name == "unit.registered":
            self.units[e.unit] = {
                "kind": str(e.kind), "names": {date.min: e.name}, "parents": {date.min: e.parent}, "into": None, "gone": None,
                "closed": None,
            }  # fmt: skip
            return
        unit = self.units[e.unit]
        if name == "unit.renamed":
            unit["names"][e.on] = e.name
        elif name == "unit.moved":
            unit["parents"][e.on] = e.parent
        elif name == "unit.merged":
            unit["into"], unit["gone"] = e.into, e.on
        elif name == "unit.closed":
            unit["closed"] = e.on
        elif name == "unit.corrected":
            unit["kind"] = str(e.kind)
            for what, value in (("names", e.name), ("parents", e.parent)):
                if unit[what][max(unit[what])] != value:
                    unit[what] = {date.min: value}

    def _posting(self, name: str, e: Any) -> None:
        plain = ("person", "tier", "category", "sender", "starts", "ends", "basis")
        if name == "posting.proposed":
            self.postings[e.posting] = {key: getattr(e, key) for key in plain} | {
                "hosts": {date.min: e.host}, "approved": False, "declined": False, "arrived": None, "ended": None, "why": None,
            }  # fmt: skip
            return
        p = self.postings[e.posting]
        if name == "posting.approved":
            p["approved"] = True
        elif name == "posting.declined":
            p["declined"] = True
        elif name == "posting.arrived":
            p["arrived"], p["approved"] = e.on, True
        elif name == "posting.extended":
            p["ends"] = e.ends
        elif name == "posting.host-changed":
            p["hosts"][e.on] = e.host
        elif name in _ENDS:
            p["ended"], p["why"] = e.on, _ENDS[name]
        elif name == "posting.corrected":
            for key in plain:
                p[key] = getattr(e, key)
            if p["hosts"][max(p["hosts"])] != e.host:
                p["hosts"] = {date.min: e.host}
            p["arrived"], p["ended"] = e.arrived_on, e.ended_on
            p["why"] = None if e.end_reason is None else str(e.end_reason)
            p["approved"] = p["approved"] or e.arrived_on is not None

    def successor(self, unit: str, day: date) -> str:
        """The unit that this one is part of on a day."""
        for _ in range(50):
            facts = self.units.get(unit)
            if facts is None or facts["gone"] is None or facts["gone"] > day:
                break
            unit = facts["into"]
        return unit

    def kind(self, unit: str) -> str | None:
        return self.units[unit]["kind"] if unit in self.units else None

    # ---- roster -----------------------------------------------------------------------------------------------------

    def roster(self, day: date) -> dict[str, Facts]:
        """Every posting as it stands on a day."""
        return {code: self._stands(p, day) for code, p in self.postings.items()}

    def _stands(self, p: Facts, day: date) -> Facts:
        end = _end(p)
        if p["arrived"] is not None and p["arrived"] <= day:
            status = "serving" if day <= end else "lapsed" if p["ended"] is None else "ended"
        elif p["declined"]:
            status = "declined"
        elif p["ended"] is not None and p["ended"] < day:
            status = "ended"
        else:
            status = "approved" if p["approved"] else "proposed"
        host = _on(p["hosts"], day)
        return {
            "person": p["person"], "tier": str(p["tier"]), "category": str(p["category"]), "sender": p["sender"],
            "host": self.successor(host, min(end, day)), "status": status, "starts": p["starts"], "ends": p["ends"],
            "arrived_on": p["arrived"], "ended_on": p["ended"], "end_reason": p["why"], "basis": p["basis"], "erased": p["person"] in self.erased,
        }  # fmt: skip

    # ---- figures ----------------------------------------------------------------------------------------------------

    def _effective(self, first: date, day: date) -> Iterator[tuple[str, Facts]]:
        for code, p in self.postings.items():
            if p["arrived"] is not None and max(p["arrived"], first) <= min(_end(p), day):
                yield code, p

    def _counted_hosts(self, p: Facts, first: date, day: date) -> set[str]:
        """The hosts that a posting counts: one for each stay with at least one day between the two days."""
        found = set()
        changes = sorted(p["hosts"].items())
        for number, (since, host) in enumerate(changes):
            last = _end(p)
            if number + 1 < len(changes):
                last = min(last, changes[number + 1][0] - timedelta(days=1))
            if max(since, p["arrived"], first) <= min(last, day):
                found.add(self.successor(host, min(last, day)))
        return found

    def figures(self, first: date, day: date) -> dict[int, int | None]:
        """Blanks 1-24."""
        if not self.units or not self.postings:
            return dict.fromkeys(range(1, 25))
        winner: dict[tuple[str, str], tuple[date, bytes, str]] = {}
        hosts: set[str] = set()
        cited: dict[tuple[int, int, str], int] = defaultdict(int)
        for code, p in self._effective(first, day):
            who = (str(p["tier"]), p["person"])
            candidate = (p["arrived"], code.encode(), str(p["category"]))
            winner[who] = max(winner.get(who, candidate), candidate)
            if p["tier"] == "DISTRICT":
                hosts |= self._counted_hosts(p, first, day)
                number = _number(p["basis"])
                if number is not None:
                    cited[number] += 1
        people = {(tier, category): 0 for tier, of in (("CITY", _CITY), ("DISTRICT", _DISTRICT)) for category in of}
        for (tier, _), (_, _, category) in winner.items():
            people[tier, category] += 1
        result: dict[int, int | None] = {
            1: sum(people["CITY", category] for category in _CITY),
            6: sum(people["DISTRICT", category] for category in _DISTRICT),
        }
        result |= {2 + n: people["CITY", category] for n, category in enumerate(_CITY)}
        result |= {7 + n: people["DISTRICT", category] for n, category in enumerate(_DISTRICT)}
        result |= {16 + n: sum(self.kind(host) in kinds for host in hosts) for n, kinds in enumerate(_SEVEN)}
        best = max(cited, key=lambda number: (cited[number], number), default=None)
        result |= {23: best[0] if best else None, 24: best[1] if best else None}
        return result

    # ---- coverage ---------------------------------------------------------------------------------------------------

    def coverage(self, first: date, day: date) -> dict[tuple[str | None, str], tuple[int, int]]:
        """By township (None: in none) and kind: hosts reached by district postings, and hosts there are."""
        reached: dict[tuple[str | None, str], set[str]] = defaultdict(set)
        total: dict[tuple[str | None, str], int] = defaultdict(int)
        for _, p in self._effective(first, day):
            if p["tier"] == "DISTRICT":
                for host in self._counted_hosts(p, first, day):
                    if host in self.units:
                        reached[self._township(host, day), self.units[host]["kind"]].add(host)
        for code, unit in self.units.items():
            if not any(at is not None and at <= day for at in (unit["gone"], unit["closed"])):
                total[self._township(code, day), unit["kind"]] += 1
        return {key: (len(reached[key]), total[key]) for key in reached.keys() | total.keys()}

    def _township(self, unit: str, day: date) -> str | None:
        seen = set()
        now: str | None = unit
        while now is not None and now in self.units and now not in seen:
            seen.add(now)
            facts = self.units[now]
            merged = facts["gone"] is not None and facts["gone"] <= day
            if facts["kind"] in _TOWNSHIP and not merged:
                return now
            now = facts["into"] if merged else _on(facts["parents"], day)
        return None


def _end(p: Facts) -> date:
    ends: date = p["ends"]
    return ends if p["ended"] is None else min(ends, p["ended"])


def _on(changes: dict[date, Any], day: date) -> Any:
    return changes[max(since for since in changes if since <= day)]


def _number(basis: str) -> tuple[int, int, str] | None:
    """(year, serial, issuer) of 广文〔2026〕3号 in any brackets."""
    bare = re.sub(r"\s", "", basis)
    for full, half in zip("０１２３４５６７８９", "0123456789", strict=True):
        bare = bare.replace(full, half)
    bracket_open, bracket_close = r"[〔\[［(（【〖]", r"[〕\]］)）】〗]"
    found = re.fullmatch(rf"(.*?){bracket_open}(\d\d\d\d){bracket_close}第?(\d{{1,9}})号", bare, re.ASCII)
    return None if found is None else (int(found[2]), int(found[3]), found[1])
