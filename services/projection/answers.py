"""What the query API answers, as `/docs` describes it. Only described: the answers are written from rows, field by field as
here, and a test holds the one against the other.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict
from xiapai_contracts.terms import Category, EndReason, ExchangeDirection, Mode, Rank, Tier, UnitKind

from services.projection.roster import Status

_CLOSED = ConfigDict(extra="forbid")
Positions = dict[str, int]
"""How far each ledger was read, such as `{"registry": 912}`."""


@dataclass(kw_only=True)
class Scoped:
    """Whose eyes the answer is for, with the unit, the categories or the person that limit them."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    kind: Literal["all", "unit", "categories", "own"]
    text: str
    unit: str = ""
    categories: list[str] = field(default_factory=list)
    person: str = ""


@dataclass(kw_only=True)
class Answer:
    """What every answer says: the day, what was known, the positions that it reflects and their age in milliseconds
    (null where nothing was ever published)."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    as_of: date
    known_at: Positions
    query_version: int
    positions: Positions
    age_ms: int | None


@dataclass(kw_only=True)
class Figure:
    """A blank of the report: a value and what is shown, or who owes it."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    n: int
    value: int | None
    display: str
    unit: str
    state: Literal["reported", "owed"]
    owed_by: str | None
    phrase: str


@dataclass(kw_only=True)
class Situation(Answer):
    """情况汇报."""

    period: str
    scope: Scoped
    figures: list[Figure]


@dataclass(kw_only=True)
class EventBehind:
    """An event behind a figure; ``posting`` and ``person`` are null for an event of a host, ``person`` also for whoever may see
    no persons."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    position: int
    id: str
    name: str
    stream: str
    version: int
    at: datetime
    recorded_at: datetime
    by: str
    posting: str | None
    host: str | None
    person: str | None


@dataclass(kw_only=True)
class Lineage(Answer):
    """数据溯源."""

    period: str
    scope: Scoped
    figure: Figure
    items: list[EventBehind]
    next: str | None


@dataclass(kw_only=True)
class Placed:
    """A posting on a day. Names are masked, and persons null, for whoever may not see them."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    posting: str
    person: str | None
    name: str | None
    erased: bool
    tier: Tier
    tier_name: str
    category: Category
    category_name: str
    status: Status
    status_name: str
    sender: str
    sender_name: str | None
    host: str
    host_name: str | None
    host_kind: UnitKind | None
    host_kind_name: str | None
    mode: Mode
    duty: str | None
    direction: ExchangeDirection | None
    basis: str
    starts: date
    ends: date
    arrived_on: date | None
    ended_on: date | None
    end_reason: EndReason | None
    home_unit: str | None
    rank: Rank | None
    sender_contact: str | None
    sender_contact_name: str | None
    host_contact: str | None
    host_contact_name: str | None
    position: int
    recorded_at: datetime


@dataclass(kw_only=True)
class Roster(Answer):
    """花名册, by pinyin."""

    scope: Scoped
    items: list[Placed]
    next: str | None


@dataclass(kw_only=True)
class Told:
    """An event of a posting; ``changed`` holds each field before and after."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    position: int
    id: str | None
    name: str | None
    at: datetime | None
    recorded_at: datetime
    by: str | None
    changed: dict[str, list[Any]]


@dataclass(kw_only=True)
class OnePosting(Answer):
    """派驻 and its history."""

    scope: Scoped
    item: Placed
    history: list[Told]


@dataclass(kw_only=True)
class Reached:
    """How many of a kind were reached, of how many there are."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    kind: UnitKind
    kind_name: str
    reached: int
    total: int


@dataclass(kw_only=True)
class Township:
    """街镇场处, or null for what lies below none."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    unit: str | None
    name: str | None
    kind: UnitKind | None
    kinds: list[Reached]
    people: int
    postings: int


@dataclass(kw_only=True)
class OfCategory:
    """People, postings and hosts of a category."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    tier: Tier
    tier_name: str
    category: Category
    category_name: str
    people: int
    postings: int
    hosts: int


@dataclass(kw_only=True)
class Coverage(Answer):
    """覆盖面."""

    period: str | None
    scope: Scoped
    kinds: list[Reached]
    townships: list[Township]
    categories: list[OfCategory]


@dataclass(kw_only=True)
class UnitOnDay:
    """A unit on a day; ``above`` is its parent, or the successor of a merged one."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    unit: str
    name: str | None
    kind: UnitKind
    kind_name: str
    parent: str | None
    above: str | None
    poor_village: bool
    credit_code: str | None
    division: str | None
    merged_into: str | None
    closed: bool
    has_children: bool


@dataclass(kw_only=True)
class Units(Answer):
    """单位树, by code."""

    items: list[UnitOnDay]
    next: str | None
