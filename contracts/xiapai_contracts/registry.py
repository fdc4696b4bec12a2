"""What the registry makes known: units, persons, postings. Living here means that any department may read it, for ever.

No event carries a name, an identity number or a phone in clear: those are sealed with the person's own key, which an
erasure destroys (see ADR on persons). Codes are text of at most 32 characters. Dates are ISO 8601.
"""

from datetime import date

from xiapai_contracts.event import event
from xiapai_contracts.terms import (
    Category,
    EndReason,
    ExchangeDirection,
    Mode,
    Rank,
    Sex,
    Tier,
    UnitKind,
)
from xiapai_contracts.topic import Topic

# ---- units: stream unit-<code> --------------------------------------------------------------------------------------


@event("unit.registered")
class UnitRegistered:
    """单位登记: a unit enters the tree (R5). ``division`` is a GB/T 2260 code, ``credit_code`` a GB 32100 code."""

    unit: str
    name: str
    kind: UnitKind
    parent: str | None = None
    credit_code: str | None = None
    poor_village: bool = False
    division: str | None = None


@event("unit.corrected")
class UnitCorrected:
    """单位更正: what was recorded was wrong from the start; the unit as it should have stood. ``source`` names the file."""

    unit: str
    name: str
    kind: UnitKind
    parent: str | None = None
    credit_code: str | None = None
    poor_village: bool = False
    division: str | None = None
    fields: tuple[str, ...] = ()
    source: str | None = None


@event("unit.renamed")
class UnitRenamed:
    """单位更名: another name from day ``on``."""

    unit: str
    name: str
    on: date


@event("unit.moved")
class UnitMoved:
    """单位划转: another parent from day ``on``."""

    unit: str
    parent: str | None
    on: date


@event("unit.merged")
class UnitMerged:
    """单位合并: from day ``on`` the unit is part of ``into``, which its history follows."""

    unit: str
    into: str
    on: date


@event("unit.closed")
class UnitClosed:
    """单位撤销: the unit no longer exists from day ``on``."""

    unit: str
    on: date


# ---- persons: stream person-<number> --------------------------------------------------------------------------------


@event("person.registered")
class PersonRegistered:
    """人员登记: a natural person is known (R13, R17). ``sealed`` holds name, identity number, birth date and phone,
    encrypted with the person's own key."""

    person: str
    sealed: str


@event("person.corrected")
class PersonCorrected:
    """人员信息更正: the sealed fields as they should have stood. ``fields`` names those that changed."""

    person: str
    sealed: str
    fields: tuple[str, ...] = ()
    source: str | None = None


@event("cadre.enrolled")
class CadreEnrolled:
    """干部入册: the person is a cadre of the sending unit ``unit`` (R5). ``party`` is 政治面貌."""

    person: str
    unit: str
    rank: Rank
    duty: str | None = None
    sex: Sex | None = None
    party: str | None = None


@event("cadre.corrected")
class CadreCorrected:
    """干部信息更正: the cadre's record as it should have stood."""

    person: str
    unit: str
    rank: Rank
    duty: str | None = None
    sex: Sex | None = None
    party: str | None = None
    fields: tuple[str, ...] = ()
    source: str | None = None


@event("cadre.earlier-post-recorded")
class EarlierPostRecorded:
    """履历: a post held before (feeds the selection rules, R8-R10). ``unit`` is a code, ``unit_name`` where none is known.

    ``post`` identifies the entry within the person: unit, duty and start.
    """

    person: str
    post: str
    duty: str
    principal_leader: bool
    starts: date
    unit: str | None = None
    unit_name: str | None = None
    ends: date | None = None


@event("cadre.earlier-post-corrected")
class EarlierPostCorrected:
    """履历更正: the entry ``post`` as it should have stood."""

    person: str
    post: str
    duty: str
    principal_leader: bool
    starts: date
    unit: str | None = None
    unit_name: str | None = None
    ends: date | None = None
    fields: tuple[str, ...] = ()
    source: str | None = None


@event("person.erased")
class PersonErased:
    """人员信息删除: the person's key is destroyed; what was sealed can be read by nobody (已删除)."""

    person: str
    ground: str


# ---- postings: stream posting-<code> --------------------------------------------------------------------------------


@event("posting.proposed")
class PostingProposed:
    """派驻提名: a sending unit proposes a cadre for a host (R5, R12, R13, R19). Basis is the document's number (R1)."""

    posting: str
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
    direction: ExchangeDirection | None = None
    sender_contact: str | None = None
    host_contact: str | None = None


@event("posting.approved")
class PostingApproved:
    """派驻批准: the dispatch office approves the proposed posting (R1)."""

    posting: str


@event("posting.declined")
class PostingDeclined:
    """派驻不予批准: the proposed posting is declined, with the reason."""

    posting: str
    reason: str


@event("posting.arrived")
class CadreArrived:
    """到岗: the host confirms that the cadre is there since day ``on``. What other services need to act stands here."""

    posting: str
    on: date
    person: str
    host: str
    sender: str
    tier: Tier
    category: Category
    ends: date


@event("posting.extended")
class PostingExtended:
    """派驻延期: the posting runs on to day ``ends``."""

    posting: str
    ends: date


@event("posting.host-changed")
class HostChanged:
    """调整接收单位: from day ``on`` the cadre serves at ``host``."""

    posting: str
    host: str
    on: date


@event("posting.term-completed")
class TermCompleted:
    """派驻期满: the term was served to its end, on day ``on``."""

    posting: str
    on: date


@event("posting.recalled")
class PostingRecalled:
    """召回: the cadre is called back on day ``on``; ``ground`` is a code of the programme's list, which may grow
    (today those of :class:`xiapai_contracts.terms.RecallGround`)."""

    posting: str
    on: date
    ground: str
    remark: str | None = None


@event("posting.ended-early")
class PostingEndedEarly:
    """提前结束: the posting ended before its term, on day ``on``."""

    posting: str
    on: date
    reason: str | None = None


@event("posting.closed")
class PostingClosed:
    """派驻办结: handed over and filed; nothing more is recorded but corrections."""

    posting: str


@event("posting.corrected")
class PostingCorrected:
    """派驻更正: the whole posting as it should have stood; ``fields`` names what changed, ``source`` the file.

    A changed host means that the old one was never reached. ``arrived_on`` and ``ended_on`` are None where the
    corrected posting never came so far.
    """

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
    fields: tuple[str, ...]
    source: str | None = None


UNITS = Topic(
    name="registry.units",
    owner="registry",
    partitions=3,
    events=(UnitRegistered, UnitCorrected, UnitRenamed, UnitMoved, UnitMerged, UnitClosed),
    about="单位树 the tree of units",
)
PERSONS = Topic(
    name="registry.persons",
    owner="registry",
    partitions=6,
    events=(
        PersonRegistered,
        PersonCorrected,
        CadreEnrolled,
        CadreCorrected,
        EarlierPostRecorded,
        EarlierPostCorrected,
        PersonErased,
    ),
    about="人员与干部 persons and cadres; personal fields sealed",
)
POSTINGS = Topic(
    name="registry.postings",
    owner="registry",
    partitions=6,
    events=(
        PostingProposed,
        PostingApproved,
        PostingDeclined,
        CadreArrived,
        PostingExtended,
        HostChanged,
        TermCompleted,
        PostingRecalled,
        PostingEndedEarly,
        PostingClosed,
        PostingCorrected,
    ),
    about="派驻 postings",
)
KEYS = Topic(
    name="registry.keys",
    owner="registry",
    partitions=6,
    restricted=True,
    compacted=True,
    about="人员密钥 wrapped keys of persons; a deletion is an erasure",
)
HEADS = Topic(
    name="registry.heads",
    owner="registry",
    partitions=1,
    retention_hours=24,
    about="进度 how far the registry's ledger has been published",
)
TOPICS = (UNITS, PERSONS, POSTINGS, KEYS, HEADS)
