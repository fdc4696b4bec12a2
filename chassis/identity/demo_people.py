"""Invented people to log in as in development. Their units and categories come from the demo district."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.identity.principal import ROLE_NAMES, Role


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """A row of the choice page. `about` says in Chinese who it is (the unit's name, say)."""

    subject: str
    name: str
    role: Role
    about: str = ""
    unit: str | None = None
    categories: tuple[str, ...] = ()
    person: str | None = None

    def claims(self) -> dict[str, Any]:
        """Claims of tokens, under the default claim names."""
        claims: dict[str, Any] = {"sub": self.subject, "name": self.name, "roles": [self.role.value]}
        if self.unit:
            claims["unit"] = self.unit
        if self.categories:
            claims["categories"] = list(self.categories)
        if self.person:
            claims["person"] = self.person
        return claims


def custom_person(
    role: Role, *, unit: str | None = None, categories: Sequence[str] = (), person: str | None = None
) -> DemoPerson:
    """Somebody of this role and scope; the same scope gives the same subject."""
    scope = "|".join((role.value, unit or "", *sorted(categories), person or ""))
    tail = "" if scope.rstrip("|") == role.value else "-" + hashlib.sha256(scope.encode()).hexdigest()[:8]
    return DemoPerson(
        subject=f"dev-{role.value}{tail}",
        name=f"演示·{ROLE_NAMES[role][0]}",
        role=role,
        unit=unit,
        categories=tuple(categories),
        person=person,
    )


def demo_people(
    *,
    departments: Mapping[str, tuple[str, Sequence[str]]] | None = None,
    units: Mapping[str, str] | None = None,
    cadres: Mapping[str, str] | None = None,
) -> list[DemoPerson]:
    """The people of the choice page. `departments`: unit code -> (name, categories); `units`: unit code -> name, for a
    clerk and a leader each; `cadres`: person identifier -> what to show. Without them, those who need no scope."""
    people = [
        DemoPerson("demo-office-1", "周敏", Role.OFFICE, "区下派办,全区"),
        DemoPerson("demo-office-2", "冯涛", Role.OFFICE, "区下派办专班,全区"),
    ]
    people += [
        DemoPerson(f"demo-department-{n}", f"{_SURNAMES[n % len(_SURNAMES)]}科长", Role.DEPARTMENT, name, code, tuple(categories))
        for n, (code, (name, categories)) in enumerate((departments or {}).items(), 1)
    ]  # fmt: skip
    people += [
        DemoPerson("demo-inspector-1", "秦岚", Role.INSPECTOR, "督导一组"),
        DemoPerson("demo-inspector-2", "陆川", Role.INSPECTOR, "督导二组"),
    ]
    for n, (code, name) in enumerate((units or {}).items(), 1):
        clerk, leader = _SURNAMES[(2 * n) % len(_SURNAMES)], _SURNAMES[(2 * n + 1) % len(_SURNAMES)]
        people.append(DemoPerson(f"demo-clerk-{n}", f"{clerk}干事", Role.CLERK, name, code))
        people.append(DemoPerson(f"demo-leader-{n}", f"{leader}书记", Role.LEADER, name, code))
    people += [
        DemoPerson(f"demo-cadre-{n}", f"下派干部 {n}", Role.CADRE, about, person=person)
        for n, (person, about) in enumerate((cadres or {}).items(), 1)
    ]
    people += [
        DemoPerson("demo-auditor-1", "沈正", Role.AUDITOR, "区审计局,只读"),
        DemoPerson("demo-operator-1", "韩工", Role.OPERATOR, "系统运维,看不到个人信息"),
    ]
    return people


_SURNAMES = ("何", "吕", "施", "孔", "严", "金", "魏", "姜", "谢", "邹")
