"""What a row says, once every cell of it holds: one frozen dataclass for each of the four sheets."""

from dataclasses import dataclass
from datetime import date

from xiapai_contracts.terms import Category, EndReason, ExchangeDirection, Mode, Rank, Sex, Tier, UnitKind


@dataclass(frozen=True, slots=True)
class UnitRow:
    """单位: a unit, at its place in the tree. An empty 贫困村 means no."""

    code: str
    name: str
    kind: UnitKind
    parent: str | None = None
    credit_code: str | None = None
    poor_village: bool = False
    division: str | None = None


@dataclass(frozen=True, slots=True)
class CadreRow:
    """干部: a person of the programme. Holds personal data."""

    code: str
    name: str
    born: date
    rank: Rank
    sender: str
    identity_number: str | None = None
    sex: Sex | None = None
    phone: str | None = None
    duty: str | None = None
    party: str | None = None


@dataclass(frozen=True, slots=True)
class EarlierPostRow:
    """履历: a post that the person held before; at a unit of the sheet 单位, or at one that is only named."""

    person: str
    duty: str
    principal_leader: bool
    starts: date
    ends: date
    unit: str | None = None
    unit_name: str | None = None


@dataclass(frozen=True, slots=True)
class PostingRow:
    """派驻: a posting as it stands now: proposed where ``arrived`` is empty, ended where ``ended`` is not."""

    code: str
    person: str
    tier: Tier
    category: Category
    sender: str
    host: str
    starts: date
    ends: date
    basis: str
    mode: Mode = Mode.SECONDMENT
    duty: str | None = None
    arrived: date | None = None
    ended: date | None = None
    end_reason: EndReason | None = None
    sender_contact: str | None = None
    host_contact: str | None = None
    direction: ExchangeDirection | None = None


Record = UnitRow | CadreRow | EarlierPostRow | PostingRow
