"""Whose eyes: which postings somebody may see, as a condition in SQL (R13; the roles of :mod:`chassis.identity`).

A posting is visible where its sender or one of its hosts lies in one's subtree by today's tree, in which a merged unit
stands below its successor. What is visible is decided by what is known now, also where the question is what was known
earlier.
"""

from dataclasses import dataclass
from typing import Any, Literal

from xiapai_contracts.terms import ZH, Category

from chassis.identity.principal import Principal, Role

_CATEGORIES = {category.value: ZH[category] for category in Category}


@dataclass(frozen=True, slots=True)
class Scope:
    """``masked``: no names, no persons' numbers."""

    kind: Literal["all", "unit", "categories", "own"]
    unit: str = ""
    categories: tuple[str, ...] = ()
    person: str = ""
    masked: bool = False

    @property
    def tag(self) -> str:
        """What tells this scope from every other one; part of ETags and cursors."""
        return "|".join((self.kind, self.unit, ",".join(self.categories), self.person, "masked" if self.masked else ""))

    @property
    def text(self) -> str:
        """The scope in words, for whoever reads a figure."""
        match self.kind:
            case "all":
                return "全区"
            case "unit":
                return f"{self.unit} 及其下级单位"
            case "categories":
                return "、".join(_CATEGORIES.get(code, code) for code in self.categories)
            case "own":
                return "本人"

    def answer(self) -> dict[str, Any]:
        """As answers say it: ``kind``, what it is limited to, and the words."""
        limits = {"unit": self.unit, "categories": list(self.categories), "person": self.person}
        return {"kind": self.kind, **{name: value for name, value in limits.items() if value}, "text": self.text}

    def params(self) -> dict[str, Any]:
        return {"scope_unit": self.unit, "scope_categories": list(self.categories), "scope_person": self.person}


def scope_of(principal: Principal) -> Scope:
    """The scope of a role."""
    match principal.role:
        case Role.OFFICE | Role.INSPECTOR | Role.AUDITOR:
            return Scope("all")
        case Role.OPERATOR:
            return Scope("all", masked=True)
        case Role.DEPARTMENT:
            return Scope("categories", categories=tuple(sorted(principal.categories)))
        case Role.CLERK | Role.LEADER:
            return Scope("unit", unit=principal.unit or "")
        case Role.CADRE:
            return Scope("own", person=principal.person or "")


ABOVE = """CASE WHEN u.merged_on <= CAST({day} AS date) THEN u.merged_into
     ELSE u.parents[width_bucket(CAST({day} AS date), u.parent_since)] END"""
"""The unit above unit ``u`` on a day, the successor of a merged one included."""


def subtree(name: str, root: str, day: str, known: str) -> str:
    """A recursive CTE ``name (unit)``: the unit ``root`` and all below it on a day."""
    return f"""{name} (unit) AS (
    SELECT CAST({root} AS text) COLLATE "C"
    UNION SELECT t.unit FROM {name} w JOIN (SELECT u.unit, {ABOVE.format(day=day)} AS above FROM units u WHERE {known}) t
        ON t.above = w.unit)"""


def visible(scope: Scope) -> str:
    """CTEs of which the last is ``visible (posting)``; the parameters are those of the scope, and ``today``."""
    match scope.kind:
        case "all":
            condition = "true"
        case "categories":
            condition = "p.category = ANY(CAST(:scope_categories AS text[]))"
        case "own":
            condition = "p.person = :scope_person"
        case "unit":
            # two joins: as one condition with OR, every posting would look through the whole subtree
            return f"""{subtree("within", ":scope_unit", ":today", "u.known_to IS NULL")},
visible AS MATERIALIZED (
    SELECT p.posting FROM postings p JOIN within w ON w.unit = p.sender WHERE p.known_to IS NULL
    UNION SELECT p.posting FROM postings p CROSS JOIN LATERAL unnest(p.hosts) AS h (host)
    JOIN within w ON w.unit = h.host WHERE p.known_to IS NULL)"""
    return f"visible AS (SELECT p.posting FROM postings p WHERE p.known_to IS NULL AND {condition})"


def seen(scope: Scope) -> str:
    """The condition on a row ``p`` of postings, as of any knowledge, that it may be shown."""
    match scope.kind:
        case "all":
            return "true"
        case "categories":
            own = " AND p.category = ANY(CAST(:scope_categories AS text[]))"
        case "own":
            own = " AND p.person = :scope_person"
        case "unit":
            own = ""
    return f"p.posting IN (SELECT posting FROM visible){own}"
