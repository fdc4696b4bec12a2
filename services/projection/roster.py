"""花名册 who is where: the postings on a day, as known at a cut, in somebody's scope."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.terms import ZH, Category, Tier, UnitKind

from services.projection.lens import Lens
from services.projection.persons import ERASED, MASKED
from services.projection.scope import seen, subtree, visible
from services.projection.tables import ask, like
from services.projection.timeline import ALWAYS
from services.projection.units import NAME, heirs

ROSTER_VERSION = 1


class Status(StrEnum):
    """How a posting stands on a day; ``lapsed`` is past its planned end without having been ended."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    DECLINED = "declined"
    SERVING = "serving"
    LAPSED = "lapsed"
    ENDED = "ended"


STATUS_ZH = {
    Status.PROPOSED: "待审批",
    Status.APPROVED: "待到岗",
    Status.DECLINED: "未批准",
    Status.SERVING: "在岗",
    Status.LAPSED: "到期未办结",
    Status.ENDED: "已结束",
}

_STATUS = """CASE
    WHEN p.arrived_on <= CAST(:day AS date) THEN CASE
        WHEN LEAST(p.ended_on, p.ends) >= CAST(:day AS date) THEN 'serving'
        WHEN p.ended_on IS NULL THEN 'lapsed' ELSE 'ended' END
    WHEN p.declined THEN 'declined'
    WHEN p.ended_on < CAST(:day AS date) THEN 'ended'
    WHEN p.approved THEN 'approved' ELSE 'proposed' END"""
_POSTED_TO = "p.hosts[width_bucket(CAST(:day AS date), p.host_since)]"
_HOST = f"""COALESCE((SELECT h.heir FROM heirs h WHERE h.unit = {_POSTED_TO} AND h.since <= LEAST(p.ended_on, p.ends)
    AND (h.until IS NULL OR h.until > LEAST(p.ended_on, p.ends))), {_POSTED_TO})"""
"""Where posting ``p`` is on ``:day``: the successor of a merged host where the posting ran on."""

Place = tuple[str, str]
"""Where a page ends: the sort key and the posting."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters; None asks for nothing. ``unit``: sender or host in that unit's subtree on the day. ``q``: a part of the
    name, or the beginning of its pinyin or initials. ``statuses``: empty asks for all."""

    unit: str | None = None
    category: Category | None = None
    tier: Tier | None = None
    host_kind: UnitKind | None = None
    q: str | None = None
    statuses: tuple[Status, ...] = (Status.SERVING,)
    posting: str | None = None
    postings: tuple[str, ...] | None = None


def placed(lens: Lens) -> str:
    """CTEs of which the last is ``placed``: the postings that may be seen, each with its ``status`` on ``:day`` and its
    ``host`` there."""
    return f"""{visible(lens.scope)}, {heirs(lens)},
placed AS (SELECT p.*, {_STATUS} AS status, {_HOST} AS host FROM postings p
    WHERE {lens.cut.known("p")} AND {seen(lens.scope)})"""


async def roster(
    connection: AsyncConnection, lens: Lens, day: date, wanted: Wanted, after: Place, limit: int
) -> tuple[list[dict[str, Any]], list[Place]]:
    """At most ``limit`` postings after a place, in the order of persons (:mod:`services.projection.persons`) and then by
    code; and the place of each. Without names for whoever may not see them, and then by code."""
    asked, conditions = _conditions(lens, wanted)
    statement = f"""
WITH RECURSIVE {asked}{placed(lens)},
page AS (SELECT p.*, {_ordered(lens)} AND {" AND ".join(conditions)} ORDER BY sort, p.posting LIMIT {limit:d})
SELECT r.posting, r.person, n.name, COALESCE(n.erased, false) AS erased, r.tier, r.category, r.status,
    r.sender, {NAME.format(u="s")} AS sender_name, r.host, {NAME.format(u="h")} AS host_name, h.kind AS host_kind,
    r.mode, r.duty, r.direction, r.basis, r.starts, r.ends, r.arrived_on, r.ended_on, r.end_reason,
    c.unit AS home_unit, c.rank, r.sender_contact, CASE WHEN sc.erased THEN :gone ELSE sc.name END AS sender_contact_name, r.host_contact, CASE WHEN hc.erased THEN :gone ELSE hc.name END AS host_contact_name,
    r.known_from AS position, r.recorded_at, r.sort
FROM page r
LEFT JOIN persons n ON n.person = r.person
LEFT JOIN persons sc ON sc.person = r.sender_contact
LEFT JOIN persons hc ON hc.person = r.host_contact
LEFT JOIN cadres c ON c.person = r.person AND {lens.cut.known("c")}
LEFT JOIN units s ON s.unit = r.sender AND {lens.cut.known("s")}
LEFT JOIN units h ON h.unit = r.host AND {lens.cut.known("h")}
ORDER BY r.sort, r.posting"""
    beginning = like(None if wanted.q is None else "".join(wanted.q.split()).lower())
    values = lens.params() | {
        "day": day, "unit": wanted.unit, "category": wanted.category, "tier": wanted.tier,
        "posting": wanted.posting, "postings": list(wanted.postings or ()),
        "part": like(wanted.q, anywhere=True), "beginning": beginning, "sort": after[0], "after": after[1],
        "gone": ERASED,
    }  # fmt: skip
    rows = await ask(connection, statement, values)
    return [_item(dict(row), lens.scope.masked) for row in rows], [(row["sort"], row["posting"]) for row in rows]


def _ordered(lens: Lens) -> str:
    """The end of a SELECT of what is ``placed``, by ``sort`` and posting from a place on, with a first condition. An index
    of persons stands in that order, so that a page costs the same however many there are."""
    if lens.scope.masked:
        return "CAST('' AS text) AS sort FROM placed p WHERE p.posting > :after"
    unnamed = f"""UNION ALL SELECT DISTINCT p.person, NULL, NULL, NULL, '' COLLATE "C" FROM postings p
        WHERE {lens.cut.known("p")} AND NOT EXISTS (SELECT FROM persons n WHERE n.person = p.person)"""
    return f"""n.sort FROM (
        SELECT person, name, spelt, initials, sort FROM persons {unnamed if lens.cut.unnamed else ""}) n
    JOIN placed p ON p.person = n.person WHERE n.sort >= :sort AND (n.sort, p.posting) > (:sort, :after)"""


def _conditions(lens: Lens, wanted: Wanted) -> tuple[str, list[str]]:
    """The CTE of the subtree that is asked for, if any, and what a posting ``p`` has to fulfil. Kinds, statuses and the
    page's limit stand in the text itself: a kept plan knows nothing of parameters, and would plan all alike."""
    asked, conditions = "", ["true"]
    if wanted.unit is not None:
        asked = subtree("asked", ":unit", ":day", lens.cut.known("u")) + ", "
        conditions.append("(p.sender IN (SELECT unit FROM asked) OR p.host IN (SELECT unit FROM asked))")
    if wanted.category is not None:
        conditions.append("p.category = :category")
    if wanted.tier is not None:
        conditions.append("p.tier = :tier")
    if wanted.host_kind is not None:
        known = lens.cut.known("u")
        conditions.append(
            f"p.host IN (SELECT u.unit FROM units u WHERE u.kind = '{wanted.host_kind.value}' AND {known})"
        )
    if wanted.statuses:
        # Of the first PostgreSQL believes that all pass, and walks the index; of the second one in two hundred, and sorts them.
        many = {Status.SERVING, Status.ENDED} & set(wanted.statuses)
        statuses = f"CAST('{{{','.join(status.value for status in wanted.statuses)}}}' AS text[])"
        conditions.append(
            f"array_position({statuses}, p.status) IS NOT NULL" if many else f"p.status = ANY({statuses})"
        )
    if wanted.posting is not None:
        conditions.append("p.posting = :posting")
    if wanted.postings is not None:
        conditions.append("p.posting = ANY(CAST(:postings AS text[]))")
    if wanted.q is not None:
        conditions.append(
            "(n.name LIKE :part OR replace(n.spelt, ' ', '') LIKE :beginning OR n.initials LIKE :beginning)"
        )
    return asked, conditions


def _item(row: dict[str, Any], masked: bool) -> dict[str, Any]:
    row.pop("sort")
    if row["erased"]:
        row["name"] = ERASED
    if masked:
        row |= dict.fromkeys(("person", "sender_contact", "host_contact", "sender_contact_name", "host_contact_name"))
        row["name"] = MASKED
    row["status_name"] = STATUS_ZH[Status(row["status"])]
    row["category_name"], row["tier_name"] = ZH[Category(row["category"])], ZH[Tier(row["tier"])]
    row["host_kind_name"] = ZH[UnitKind(row["host_kind"])] if row["host_kind"] else None
    return row


_TOLD = ("known_from", "known_to", "recorded_at", "posting", "document", "year", "serial", "host_since")


async def history(connection: AsyncConnection, lens: Lens, posting: str) -> list[dict[str, Any]]:
    """What became known of a posting, event by event: position, name, times, by whom, and the fields that it changed
    (``{"ends": ["2026-12-31", "2027-06-30"]}``: before and after). Empty where it is not visible."""
    statement = f"""
WITH RECURSIVE {visible(lens.scope)}
SELECT p.*, v.name AS event, v.by, v.at, v.id FROM postings p LEFT JOIN events v ON v.position = p.known_from
WHERE p.posting = :posting AND p.known_from <= :known AND {seen(lens.scope)} ORDER BY p.known_from"""
    values = lens.params() | {"posting": posting}
    told: list[dict[str, Any]] = []
    before: dict[str, Any] = {}
    for row in await ask(connection, statement, values):
        now = dict(row)
        facts = {"position": now["known_from"], "id": now.pop("id"), "name": now.pop("event"), "at": now.pop("at")}
        facts |= {"recorded_at": now["recorded_at"], "by": now.pop("by")}
        now["hosts"] = _stays(now["host_since"], now["hosts"])
        for name in _TOLD:
            now.pop(name)
        if lens.scope.masked:
            for name in ("person", "sender_contact", "host_contact"):
                now.pop(name)
        changed = {name: [before.get(name), value] for name, value in now.items() if before.get(name) != value}
        told.append(facts | {"changed": changed})
        before = now
    return told


def _stays(since: list[date], hosts: list[str]) -> list[dict[str, Any]]:
    return [{"host": host, "since": None if day == ALWAYS else day} for day, host in zip(since, hosts, strict=True)]
