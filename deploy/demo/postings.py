"""The postings of the demo district: their terms, and the documents that they rest on."""

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from xiapai_contracts.terms import Category, EndReason, ExchangeDirection, Mode, Tier

from deploy.demo import names
from services.registry.workbook.rows import CadreRow, PostingRow

LAST_DAY: Final = date(2026, 6, 30)
"""The last day of the half-year 2026H1; every cadre who counts had arrived by then."""

_THIS_YEAR: Final = ("广文〔2026〕3号",) * 17 + ("广文[2026]3号", "广文（2026）3号", "广文(2026) 3号")
_STARTS: Final = tuple(
    date(2026, month, day) for month, day in ((1, 12), (1, 19), (2, 2), (2, 24), (3, 2), (3, 16), (4, 1), (5, 6))
)
_OLDER: Final = (
    (date(2024, 9, 2), "广文〔2024〕11号"),
    (date(2025, 3, 3), "广文〔2025〕6号"),
    (date(2025, 9, 1), "广文〔2025〕19号"),
)
_OF_THE_CITY: Final = ((date(2024, 9, 9), "禾组通〔2024〕27号"), (date(2025, 3, 10), "禾组通〔2025〕8号"))
_DUTIES: Final = {
    Category.RURAL_GUIDE: "农村工作指导员",
    Category.PUBLIC_ORDER_ENVOY: "综治特派员",
    Category.SUPPORT_DOCTOR: "支医医生",
    Category.SUPPORT_TEACHER: "支教教师",
    Category.PARTY_LIAISON: "党组织副书记",
    Category.COMMUNITY_POLICE: "社区民警",
    Category.LEGAL_VICE_PRINCIPAL: "法制副校长",
    Category.ENTERPRISE_LEADER: "联系领导",
    Category.ENTERPRISE_LIAISON: "联络员",
    Category.TWO_WAY_EXCHANGE: "副职",
}


@dataclass(frozen=True, slots=True)
class Term:
    """When a posting runs, and on which document it rests."""

    starts: date
    ends: date
    basis: str
    arrived: date | None = None
    ended: date | None = None
    reason: EndReason | None = None


class Postings:
    """Collects the rows of the sheet 派驻."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.rows: list[PostingRow] = []

    def add(
        self,
        cadre: CadreRow,
        category: Category,
        host: str,
        term: Term,
        tier: Tier = Tier.DISTRICT,
        direction: ExchangeDirection | None = None,
    ) -> None:
        chance = self._chance
        appointed = category is Category.TWO_WAY_EXCHANGE and chance.random() < 0.3
        self.rows.append(
            PostingRow(
                code=f"P{len(self.rows) + 1:06d}",
                person=cadre.code,
                tier=tier,
                category=category,
                sender=cadre.sender,
                host=host,
                starts=term.starts,
                ends=term.ends,
                basis=term.basis,
                mode=Mode.APPOINTMENT if appointed else Mode.SECONDMENT,
                duty=_DUTIES[category],
                arrived=term.arrived,
                ended=term.ended,
                end_reason=term.reason,
                sender_contact=names.person(chance),
                host_contact=names.person(chance),
                direction=direction,
            )
        )

    def term(self, tier: Tier = Tier.DISTRICT) -> Term:
        """A term of two years that counts in 2026H1: mostly of this year's document, some older, a few served to the end."""
        chance = self._chance
        if tier is Tier.CITY:
            return self._running(*chance.choice(_OF_THE_CITY))
        drawn = chance.random()
        if drawn < 0.74:
            return self._running(chance.choice(_STARTS), chance.choice(_THIS_YEAR))
        if drawn < 0.96:
            return self._running(*chance.choice(_OLDER))
        starts = date(2024, chance.choice((3, 4, 5)), 6)
        ends = two_years(starts)
        return Term(starts, ends, "广文〔2024〕2号", self._arrival(starts), ends, EndReason.TERM_COMPLETED)

    def between(self, starts: date, ended: date, reason: EndReason) -> Term:
        """A term of this year's document or an older one that was ended before its two years."""
        basis = "广文〔2026〕3号" if starts.year == 2026 else "广文〔2025〕6号"
        return Term(starts, two_years(starts), basis, starts, ended, reason)

    def from_day(self, starts: date) -> Term:
        """A term of this year's document that runs on, with arrival on its first day."""
        return Term(starts, two_years(starts), "广文〔2026〕3号", starts)

    def proposed(self, starts: date) -> Term:
        """A term on which nobody has set out yet."""
        return Term(starts, two_years(starts), "广文〔2026〕3号")

    def _running(self, starts: date, basis: str) -> Term:
        return Term(starts, two_years(starts), basis, self._arrival(starts))

    def _arrival(self, starts: date) -> date:
        return min(starts + timedelta(self._chance.choice((0, 0, 0, 1, 2, 4, 7))), LAST_DAY)


def two_years(starts: date) -> date:
    """The last day of a term of two years."""
    return starts.replace(year=starts.year + 2) - timedelta(1)
