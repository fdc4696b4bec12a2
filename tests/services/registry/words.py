"""What the tests of the registry speak of: a small district in division 990117, its units, cadres and postings."""

from datetime import date
from typing import Any

from xiapai_contracts.registry import PostingProposed, UnitRegistered
from xiapai_contracts.terms import Category, Rank, Tier, UnitKind

from services.registry.category_rules import load
from services.registry.person import Cadre, CadreDetails, Person
from services.registry.posting_terms import Facts, Terms
from services.registry.unit import OpenUnit, Unit, UnitDetails

RULES = load()
STARTS, ENDS = date(2026, 1, 1), date(2027, 12, 31)


def registered(unit: str, kind: UnitKind = UnitKind.VILLAGE, parent: str | None = None) -> UnitRegistered:
    """单位登记."""
    return UnitRegistered(unit=unit, name=f"{unit}单位", kind=kind, parent=parent)


def open_unit(unit: str, kind: UnitKind = UnitKind.VILLAGE, parent: str | None = None) -> OpenUnit:
    """The state of a unit that exists."""
    return OpenUnit(UnitDetails(unit, f"{unit}单位", kind, parent))


def terms(**changes: Any) -> Terms:
    """A district rural guide to a village, two years."""
    said: dict[str, Any] = {
        "person": "G1",
        "tier": Tier.DISTRICT,
        "category": Category.RURAL_GUIDE,
        "sender": "BUREAU",
        "host": "VILLAGE",
        "starts": STARTS,
        "ends": ENDS,
        "basis": "广文〔2026〕3号",
    }
    return Terms(**said | changes)


CADRE = Cadre("G1", "sealed", CadreDetails("BUREAU", Rank.STAFF))


def facts(
    of: Terms | None = None,
    *,
    host: Unit | UnitKind = UnitKind.VILLAGE,
    cadre: Person = CADRE,
    sender: Unit | None = None,
) -> Facts:
    """What other streams know about these terms."""
    of = of or terms()
    return Facts(
        cadre=cadre,
        sender=sender or open_unit(of.sender, UnitKind.DISTRICT_DEPARTMENT),
        host=open_unit(of.host, host) if isinstance(host, UnitKind) else host,
        rule=RULES.on(of.starts, of.category),
    )


def proposed(**changes: Any) -> PostingProposed:
    """派驻提名."""
    said = terms(**changes)
    return PostingProposed(posting="P1", **{name: getattr(said, name) for name in Terms.__dataclass_fields__})
