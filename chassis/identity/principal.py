"""Who acts: a subject with one role and its scope, read from the claims of a verified token."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from xiapai_contracts.terms import Category

from chassis.problems import Unauthenticated
from chassis.redaction import looks_personal


class Role(StrEnum):
    """The eight roles of the programme."""

    OFFICE = "office"
    """下派办, the dispatch office: the whole district."""
    DEPARTMENT = "department"
    """牵头部门, a lead department: its categories."""
    INSPECTOR = "inspector"
    """督导组, an inspection team."""
    CLERK = "clerk"
    """A unit's clerk, sending or host: the unit's subtree."""
    LEADER = "leader"
    """A unit's accountable person: the unit's subtree."""
    CADRE = "cadre"
    """A posted cadre: their own postings."""
    AUDITOR = "auditor"
    """Reads everything, changes nothing."""
    OPERATOR = "operator"
    """Runs the system and sees no personal data."""


ROLE_NAMES: dict[Role, tuple[str, str]] = {
    Role.OFFICE: ("下派办", "dispatch office"),
    Role.DEPARTMENT: ("牵头部门", "lead department"),
    Role.INSPECTOR: ("督导组", "inspection team"),
    Role.CLERK: ("单位经办人", "unit clerk"),
    Role.LEADER: ("单位责任人", "accountable person of a unit"),
    Role.CADRE: ("下派干部", "posted cadre"),
    Role.AUDITOR: ("审计人员", "auditor"),
    Role.OPERATOR: ("系统管理员", "operator"),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """`subject` is the `by` of every event: an identifier, never a name or number of a person. `unit` is a unit's code
    (clerk, leader: always there), `categories` a lead department's, `person` a cadre's person identifier.
    `name_for_display` is shown to this very user alone and neither logged nor recorded."""

    subject: str
    role: Role
    unit: str | None = None
    categories: frozenset[str] = frozenset()
    person: str | None = None
    name_for_display: str = ""

    def __repr__(self) -> str:
        return f"Principal({self.subject!r}, {self.role.value}, unit={self.unit!r})"


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Where the claims stand; a dot leads into an object (`realm_access.roles`), unless a claim has just that name."""

    role: str = "roles"
    unit: str = "unit"
    categories: str = "categories"
    person: str = "person"


_SUBJECT = re.compile(r"[\x21-\x7e]{1,200}\Z")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}\Z")
_NEEDS_UNIT = (Role.CLERK, Role.LEADER)


def principal_from(claims: Mapping[str, Any], names: ClaimNames) -> Principal:
    """The principal of verified claims; Unauthenticated (401) where they do not say who it is and in which scope."""
    role = _role(claims, names)
    unit = _code(claims, names.unit, needed=role in _NEEDS_UNIT)
    person = _code(claims, names.person, needed=role is Role.CADRE)
    categories = _categories(claims, names.categories) if role is Role.DEPARTMENT else frozenset()
    return Principal(
        subject=_subject(claims),
        role=role,
        unit=unit,
        categories=categories,
        person=person,
        name_for_display=_name(claims),
    )


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _SUBJECT.match(subject):
        raise Unauthenticated("token-claims-incomplete", claim="sub")
    if looks_personal(subject):
        raise Unauthenticated("token-subject-personal")
    return subject


def _role(claims: Mapping[str, Any], names: ClaimNames) -> Role:
    given = _find(claims, names.role)
    if given is None and names.role == "roles":
        given = claims.get("role")
    listed = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    known = {Role(name) for name in listed if isinstance(name, str) and name in _ROLES}
    if len(known) != 1:
        raise Unauthenticated("token-role-ambiguous" if known else "token-role-unknown")
    return known.pop()


_ROLES = frozenset(role.value for role in Role)


def _code(claims: Mapping[str, Any], name: str, *, needed: bool) -> str | None:
    value = _find(claims, name)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None and not needed:
        return None
    if not isinstance(value, str) or not _CODE.match(value):
        raise Unauthenticated("token-claims-incomplete", claim=name)
    return value


def _categories(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """A department's categories; a word that is none would silently see nothing, so it is refused."""
    value = _find(claims, name)
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(code, str) and _CODE.match(code) for code in value)
    ):
        raise Unauthenticated("token-claims-incomplete", claim=name)
    if not _CATEGORIES.issuperset(value):
        raise Unauthenticated("token-category-unknown", claim=name)
    return frozenset(value)


_CATEGORIES = frozenset(category.value for category in Category)


def _name(claims: Mapping[str, Any]) -> str:
    name = claims.get("name") or claims.get("preferred_username")
    return name[:60] if isinstance(name, str) else ""


def _find(claims: Mapping[str, Any], name: str) -> Any:
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found
