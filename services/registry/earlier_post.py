"""履历: a post that a cadre held before; it feeds the selection rules (R8-R10). Lives in the person's stream."""

import hashlib
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from xiapai_contracts.registry import EarlierPostCorrected, EarlierPostRecorded

from ledger.decider import Refused
from services.registry.unit import NoUnit, Unit


@dataclass(frozen=True, slots=True)
class EarlierPost:
    """At a unit of the tree (``unit``, its code) or at one that is only named (``unit_name``); days inclusive."""

    duty: str
    principal_leader: bool
    starts: date
    unit: str | None = None
    unit_name: str | None = None
    ends: date | None = None

    @property
    def post(self) -> str:
        """What identifies the entry within the person: unit, duty and start, as 16 hexadecimal digits."""
        said = "\0".join((self.unit or "", "" if self.unit else self.unit_name or "", self.duty, str(self.starts)))
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


FIELDS = tuple(field.name for field in fields(EarlierPost))


def decide_post(
    person: str, post: EarlierPost, known: EarlierPost | None, unit: Unit | None, source: str | None
) -> list[EarlierPostRecorded | EarlierPostCorrected]:
    """``known`` is the entry of the same unit, duty and start, ``unit`` the state of the unit named by code.

    A unit that is closed or merged by now may well have been an earlier post, so it only has to be known.
    Refused: ``unit-unknown``, ``unit-or-name-missing``, ``duty-missing``, ``ends-before-it-starts``.
    """
    if post == known:
        return []
    if not post.duty.strip():
        raise Refused("duty-missing")
    if post.unit is None and not (post.unit_name or "").strip():
        raise Refused("unit-or-name-missing")
    if post.unit is not None and (unit is None or isinstance(unit, NoUnit)):
        raise Refused("unit-unknown", unit=post.unit)
    if post.ends is not None and post.ends < post.starts:
        raise Refused("ends-before-it-starts")
    if known is None:
        return [EarlierPostRecorded(person=person, post=post.post, **_values(post))]
    changed = tuple(name for name in FIELDS if getattr(post, name) != getattr(known, name))
    return [EarlierPostCorrected(person=person, post=post.post, **_values(post), fields=changed, source=source)]


def post_of(event: EarlierPostRecorded | EarlierPostCorrected) -> EarlierPost:
    """The entry that an event states."""
    return EarlierPost(**{name: getattr(event, name) for name in FIELDS})


def _values(post: EarlierPost) -> dict[str, Any]:
    return {name: getattr(post, name) for name in FIELDS}
