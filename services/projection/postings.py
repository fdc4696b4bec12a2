"""派驻 the postings, as known from position to position: the table under the roster, the coverage and the figures."""

from datetime import date, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ARRAY, Boolean, Column, Date, Index, Integer, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.registry import (
    CadreArrived,
    HostChanged,
    PostingApproved,
    PostingClosed,
    PostingCorrected,
    PostingDeclined,
    PostingEndedEarly,
    PostingExtended,
    PostingProposed,
    PostingRecalled,
    TermCompleted,
)
from xiapai_contracts.terms import Category, EndReason, ExchangeDirection, Mode, Tier

from ledger.deliver import Delivered
from services.projection import versions
from services.projection.documents import document
from services.projection.tables import Code, Moment, Position, metadata
from services.projection.timeline import Timeline

POSTINGS_VERSION = 2

postings = Table(
    "postings",
    metadata,
    Column("posting", Code, primary_key=True),
    Column("known_from", Position, primary_key=True, autoincrement=False),
    Column("known_to", Position),
    Column("recorded_at", Moment, nullable=False),
    Column("person", Code, nullable=False),
    Column("tier", Code, nullable=False),
    Column("category", Code, nullable=False),
    Column("sender", Code, nullable=False),
    Column("host_since", ARRAY(Date), nullable=False),
    Column("hosts", ARRAY(Text), nullable=False),
    Column("starts", Date, nullable=False),
    Column("ends", Date, nullable=False),
    Column("basis", Text, nullable=False),
    Column("document", Code, nullable=False),
    Column("year", Integer),
    Column("serial", Integer),
    Column("mode", Code, nullable=False),
    Column("duty", Text),
    Column("direction", Code),
    Column("sender_contact", Code),
    Column("host_contact", Code),
    Column("approved", Boolean, nullable=False),
    Column("declined", Boolean, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("arrived_on", Date),
    Column("ended_on", Date),
    Column("end_reason", Code),
)
Index("postings_now", postings.c.posting, postgresql_where=text("known_to IS NULL"))
Index("postings_of_person", postings.c.person, postgresql_where=text("known_to IS NULL"))


class Posting(Struct, frozen=True, gc=False):
    """A posting as known from one position on."""

    posting: str
    known_from: int
    recorded_at: datetime
    person: str
    tier: Tier
    category: Category
    sender: str
    hosts: Timeline[str]
    starts: date
    ends: date
    basis: str
    mode: Mode
    duty: str | None
    direction: ExchangeDirection | None
    sender_contact: str | None
    host_contact: str | None
    approved: bool = False
    declined: bool = False
    closed: bool = False
    arrived_on: date | None = None
    ended_on: date | None = None
    end_reason: EndReason | None = None

    def row(self, known_to: int | None) -> tuple[Any, ...]:
        cited = document(self.basis)
        return (
            self.posting,
            self.known_from,
            known_to,
            self.recorded_at,
            self.person,
            self.tier,
            self.category,
            self.sender,
            self.hosts.since,
            self.hosts.values,
            self.starts,
            self.ends,
            self.basis,
            cited.text,
            cited.year,
            cited.serial,
            self.mode,
            self.duty,
            self.direction,
            self.sender_contact,
            self.host_contact,
            self.approved,
            self.declined,
            self.closed,
            self.arrived_on,
            self.ended_on,
            self.end_reason,
        )


def read(row: Any) -> Posting:
    (
        posting,
        known_from,
        _,
        recorded_at,
        person,
        tier,
        category,
        sender,
        host_since,
        hosts,
        starts,
        ends,
        basis,
        _,
        _,
        _,
        mode,
        duty,
        direction,
        sender_contact,
        host_contact,
        approved,
        declined,
        closed,
        arrived_on,
        ended_on,
        end_reason,
    ) = row
    return Posting(
        posting=posting,
        known_from=known_from,
        recorded_at=recorded_at,
        person=person,
        tier=Tier(tier),
        category=Category(category),
        sender=sender,
        hosts=Timeline.of(host_since, hosts),
        starts=starts,
        ends=ends,
        basis=basis,
        mode=Mode(mode),
        duty=duty,
        direction=ExchangeDirection(direction) if direction else None,
        sender_contact=sender_contact,
        host_contact=host_contact,
        approved=approved,
        declined=declined,
        closed=closed,
        arrived_on=arrived_on,
        ended_on=ended_on,
        end_reason=EndReason(end_reason) if end_reason else None,
    )


async def project(connection: AsyncConnection, events: list[Delivered]) -> None:
    """Take up the events of the topic registry.postings."""
    await versions.project(connection, postings, events, lambda event: str(event.posting), _next, read)


def _next(posting: Posting | None, event: Any, delivered: Delivered) -> Posting:
    meta = delivered.meta
    assert meta.recorded_at is not None
    if isinstance(event, PostingProposed):
        return Posting(
            posting=event.posting,
            known_from=meta.position,
            recorded_at=meta.recorded_at,
            person=event.person,
            tier=event.tier,
            category=event.category,
            sender=event.sender,
            hosts=Timeline.always(event.host),
            starts=event.starts,
            ends=event.ends,
            basis=event.basis,
            mode=event.mode,
            duty=event.duty,
            direction=event.direction,
            sender_contact=event.sender_contact,
            host_contact=event.host_contact,
        )
    if posting is None:
        raise ValueError(f"{meta.type} of a posting that was never proposed")
    return replace(evolve(posting, event), known_from=meta.position, recorded_at=meta.recorded_at)


def evolve(posting: Posting, event: Any) -> Posting:
    """The posting after an event."""
    match event:
        case PostingApproved():
            return replace(posting, approved=True)
        case PostingDeclined():
            return replace(posting, declined=True)
        case CadreArrived():
            return replace(posting, arrived_on=event.on, approved=True)
        case PostingExtended():
            return replace(posting, ends=event.ends)
        case HostChanged():
            return replace(posting, hosts=posting.hosts.change(event.on, event.host))
        case TermCompleted():
            return replace(posting, ended_on=event.on, end_reason=EndReason.TERM_COMPLETED)
        case PostingRecalled():
            return replace(posting, ended_on=event.on, end_reason=EndReason.RECALLED)
        case PostingEndedEarly():
            return replace(posting, ended_on=event.on, end_reason=EndReason.ENDED_EARLY)
        case PostingClosed():
            return replace(posting, closed=True)
        case PostingCorrected():
            return _corrected(posting, event)
        case _:
            raise ValueError(f"{type(event).__name__} is not about a posting")


def _corrected(posting: Posting, event: PostingCorrected) -> Posting:
    """As it should have stood from the start: with another host, no other was ever reached."""
    return replace(
        posting,
        person=event.person,
        tier=event.tier,
        category=event.category,
        sender=event.sender,
        hosts=posting.hosts if event.host == posting.hosts.last else Timeline.always(event.host),
        starts=event.starts,
        ends=event.ends,
        basis=event.basis,
        mode=event.mode,
        duty=event.duty,
        direction=event.direction,
        sender_contact=event.sender_contact,
        host_contact=event.host_contact,
        approved=posting.approved or event.arrived_on is not None,
        closed=posting.closed and event.ended_on is not None,
        arrived_on=event.arrived_on,
        ended_on=event.ended_on,
        end_reason=event.end_reason,
    )
