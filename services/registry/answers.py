"""What the registry answers to a look: units, persons, postings and imports as they stand."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from xiapai_contracts.terms import Category, EndReason, ExchangeDirection, Mode, Rank, Sex, Tier, UnitKind


@dataclass(frozen=True, kw_only=True)
class UnitNow:
    """单位; ``into`` and ``on`` where it was merged or closed."""

    unit: str
    name: str
    kind: UnitKind
    parent: str | None
    credit_code: str | None
    poor_village: bool
    division: str | None
    state: Literal["open", "merged", "closed"]
    into: str | None
    on: date | None
    version: int


@dataclass(frozen=True, kw_only=True)
class CadreNow:
    """干部."""

    unit: str
    rank: Rank
    duty: str | None
    sex: Sex | None
    party: str | None


@dataclass(frozen=True, kw_only=True)
class EarlierPostNow:
    """履历; ``post`` identifies it within the person."""

    post: str
    duty: str
    principal_leader: bool
    starts: date
    unit: str | None
    unit_name: str | None
    ends: date | None


@dataclass(frozen=True, kw_only=True, repr=False)
class PersonNow:
    """人员: personal fields opened, null where erased; ``cadre`` and ``earlier_posts`` of a cadre alone."""

    person: str
    version: int
    name: str | None
    identity_number: str | None
    born: date | None
    phone: str | None
    state: Literal["known", "cadre", "erased"]
    cadre: CadreNow | None = None
    earlier_posts: list[EarlierPostNow] | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class PostingNow:
    """派驻; persons are numbers."""

    posting: str
    person: str
    tier: Tier
    category: Category
    sender: str
    host: str
    starts: date
    ends: date
    basis: str
    mode: Mode
    duty: str | None
    direction: ExchangeDirection | None
    sender_contact: str | None
    host_contact: str | None
    arrived_on: date | None
    ended_on: date | None
    end_reason: EndReason | None
    state: Literal["proposed", "declined", "approved", "serving", "ended", "closed"]
    version: int


@dataclass(frozen=True, kw_only=True)
class ImportNow:
    """导入: ``counts`` by sheet and outcome, ``further_columns`` that were passed over, by sheet; ``refusal`` where the whole
    workbook was refused; ``positions`` that hold all of it, once done."""

    id: str
    name: str
    by: str
    dry_run: bool
    state: Literal["waiting", "reading", "recording", "done", "failed"]
    phase: str
    rows_done: int
    rows_total: int | None
    counts: dict[str, dict[str, int]]
    further_columns: dict[str, list[str]]
    refusal: dict[str, str] | None
    positions: dict[str, int] | None
    submitted_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Imports:
    """The newest first."""

    items: list[ImportNow]
