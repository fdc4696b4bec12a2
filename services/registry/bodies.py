"""What clients send: the bodies of the commands. Codes are at most 32 characters, texts 200; blanks at the ends go."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, StringConstraints
from xiapai_contracts.terms import (
    Category,
    EndReason,
    ExchangeDirection,
    Mode,
    Rank,
    RecallGround,
    Sex,
    Tier,
    UnitKind,
)

from chassis.days import Day
from services.registry.codes import half_width
from services.registry.commands.persons import Personal
from services.registry.commands.postings import Contacts
from services.registry.earlier_post import EarlierPost
from services.registry.person import CadreDetails
from services.registry.posting_states import Course
from services.registry.posting_terms import Terms
from services.registry.unit import UnitDetails


def _tidy(given: object) -> object:
    """As the workbook reads codes: one typed with full-width digits is the same code."""
    return half_width(given) if isinstance(given, str) else given


def _reachable(code: str) -> str:
    """A client that tidies paths could never ask for these."""
    if code in (".", ".."):
        raise ValueError("a code of dots alone")
    return code


Code = Annotated[
    str,
    BeforeValidator(_tidy),
    StringConstraints(strip_whitespace=True, min_length=1, max_length=32, pattern=r"^[^\x00-\x1f\x7f]+$"),
    AfterValidator(_reachable),
]
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")
]  # fmt: skip
CONFIG = ConfigDict(extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True, kw_only=True)
class UnitBody:
    """单位. ``division`` after GB/T 2260, ``credit_code`` after GB 32100."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    name: Text
    kind: UnitKind
    parent: Code | None = None
    credit_code: Text | None = None
    poor_village: bool = False
    division: Text | None = None

    def details(self, unit: str) -> UnitDetails:
        return UnitDetails(unit, self.name, self.kind, self.parent, self.credit_code, self.poor_village, self.division)


@dataclass(frozen=True, kw_only=True)
class NewUnit(UnitBody):
    """单位登记."""

    unit: Code


@dataclass(frozen=True, kw_only=True)
class Renaming:
    """单位更名, from day ``on``."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    name: Text
    on: Day


@dataclass(frozen=True, kw_only=True)
class Moving:
    """单位划转; no parent means the root."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    parent: Code | None
    on: Day


@dataclass(frozen=True, kw_only=True)
class Merging:
    """单位合并 into another."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    into: Code
    on: Day


@dataclass(frozen=True, kw_only=True)
class OnDay:
    """A day."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    on: Day


@dataclass(frozen=True, kw_only=True)
class CadreBody:
    """干部: ``unit`` sends, ``party`` is 政治面貌."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    unit: Code
    rank: Rank
    duty: Text | None = None
    sex: Sex | None = None
    party: Text | None = None

    def details(self) -> CadreDetails:
        return CadreDetails(self.unit, self.rank, self.duty, self.sex, self.party)


@dataclass(frozen=True, kw_only=True, repr=False)
class PersonBody:
    """人员: personal fields in clear, sealed before they are recorded."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    name: Text
    identity_number: Text | None = None
    born: Day | None = None
    phone: Text | None = None
    cadre: CadreBody | None = None

    def personal(self) -> Personal:
        return Personal(self.name, self.identity_number, self.born, self.phone)


@dataclass(frozen=True, kw_only=True, repr=False)
class NewPerson(PersonBody):
    """人员登记; without ``person`` the number is made from the request."""

    person: Code | None = None


@dataclass(frozen=True, kw_only=True)
class EarlierPostBody:
    """履历: at a unit by code, or by name where it has none here."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    duty: Text
    principal_leader: bool
    starts: Day
    ends: Day | None = None
    unit: Code | None = None
    unit_name: Text | None = None

    def post(self) -> EarlierPost:
        return EarlierPost(self.duty, self.principal_leader, self.starts, self.unit, self.unit_name, self.ends)


@dataclass(frozen=True, kw_only=True)
class Erasing:
    """人员信息删除: why; nothing personal."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    ground: Text


@dataclass(frozen=True, kw_only=True, repr=False)
class TermsBody:
    """派驻: both days inclusive; the contacts are the names of the accountable persons at both ends."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    person: Code
    tier: Tier
    category: Category
    sender: Code
    host: Code
    starts: Day
    ends: Day
    basis: Text
    mode: Mode = Mode.SECONDMENT
    duty: Text | None = None
    direction: ExchangeDirection | None = None
    sender_contact: Text | None = None
    host_contact: Text | None = None

    def terms(self) -> Terms:
        return Terms(
            person=self.person,
            tier=self.tier,
            category=self.category,
            sender=self.sender,
            host=self.host,
            starts=self.starts,
            ends=self.ends,
            basis=self.basis,
            mode=self.mode,
            duty=self.duty,
            direction=self.direction,
        )

    def contacts(self) -> Contacts:
        return Contacts(self.sender_contact, self.host_contact)


@dataclass(frozen=True, kw_only=True, repr=False)
class Proposal(TermsBody):
    """派驻提名; without ``posting`` the code is made from the request."""

    posting: Code | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Correction(TermsBody):
    """派驻更正: the whole posting as it should have stood. What is left out did not happen."""

    arrived_on: Day | None = None
    ended_on: Day | None = None
    end_reason: EndReason | None = None

    def course(self) -> Course:
        return Course(self.arrived_on, self.ended_on, self.end_reason)


@dataclass(frozen=True, kw_only=True)
class Declining:
    """不予批准."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    reason: Text


@dataclass(frozen=True, kw_only=True)
class Extending:
    """延期 to day ``ends``."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    ends: Day


@dataclass(frozen=True, kw_only=True)
class HostChange:
    """调整接收单位 from day ``on``."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    host: Code
    on: Day


@dataclass(frozen=True, kw_only=True)
class Recalling:
    """召回."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    on: Day
    ground: RecallGround
    remark: Text | None = None


@dataclass(frozen=True, kw_only=True)
class EndingEarly:
    """提前结束."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    on: Day
    reason: Text | None = None
