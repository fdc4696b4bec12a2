"""What a service brings to the processes that host it, and what they hand to it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.event import Codec
from xiapai_contracts.topic import Topic

from chassis.catalogue import Sentence, Texts
from chassis.clock import Clock
from chassis.health import Check
from chassis.measures import Measure
from chassis.settings import Settings
from ledger.backup.save import Saved
from ledger.command import Desk
from ledger.deliver import Handler


@dataclass(frozen=True, slots=True)
class Tools:
    """What a process hands to a service: its own database, where its commands are decided, and the time.

    ``codec`` reads and writes every public event.
    """

    settings: Settings
    engine: AsyncEngine
    desk: Desk
    clock: Clock
    codec: Codec


RefusalPage = Callable[[Request, int, Sentence], Response]
"""From the request, the status and what is to be said."""

Background = Callable[[], Awaitable[None]]
"""Work of a worker beside its handlers (imports, deliveries): runs until it is cancelled."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a service's worker does: handlers of others' events, and background work by name. ``ready`` says what is
    missing before the worker counts as ready."""

    handlers: Sequence[Handler] = ()
    background: Mapping[str, Background] = field(default_factory=dict)
    ready: Mapping[str, Check] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service, as its composition root describes it.

    ``routers`` answer below ``/api/<name>`` (``query`` for the projection); they find what ``open_api`` gave at
    ``request.app.state.<name>``. ``codec`` reads and writes the events it handles, ``topics`` are those it writes. ``migrations`` are Alembic folders beside the
    ledger's own, each with its version table. ``texts`` are its sentences, ``conflicts`` the refusals that are 409.
    ``saved`` are the tables beside the ledger's that a backup keeps; all others are made anew from events.
    ``erase_again`` takes the streams whose key a restore had to destroy, since they were erased after the backup.
    ``measures`` are what its database has to say at `/metrics`.
    A service with pages for people, who log in, gives the ``refusal_page`` that a browser sees at no address of ours.
    """

    name: str
    routers: Sequence[APIRouter]
    codec: Codec
    open_api: Callable[[Tools], AbstractAsyncContextManager[Any]]
    open_work: Callable[[Tools], AbstractAsyncContextManager[Work]]
    topics: tuple[Topic, ...] = ()
    texts: Texts = field(default_factory=dict)
    conflicts: frozenset[str] = frozenset()
    migrations: tuple[tuple[Path, str], ...] = ()
    larger_bodies: Mapping[str, int] = field(default_factory=dict)
    saved: tuple[Saved, ...] = ()
    erase_again: Callable[[Tools, Collection[str]], Awaitable[None]] | None = None
    measures: tuple[Measure, ...] = ()
    refusal_page: RefusalPage | None = None

    @property
    def desk(self) -> bool:
        """Whether it has pages for people, who log in."""
        return self.refusal_page is not None
