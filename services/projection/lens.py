"""Through what a question is looked at: what was known, who asks, and the day by whose tree their scope is drawn."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from services.projection.cut import Cut
from services.projection.scope import Scope


@dataclass(frozen=True, slots=True)
class Lens:
    """``today`` is the programme's day, simulated where its clock is."""

    cut: Cut
    scope: Scope
    today: date

    def params(self) -> dict[str, Any]:
        """The parameters of the SQL that the cut and the scope write."""
        return self.cut.params() | self.scope.params() | {"today": self.today}
