"""Given what happened, when a command comes, then these events, or this refusal: how a decider's tests read.

``given(POSTING, proposed, approved).when(arrive).then(arrived)``
"""

from dataclasses import dataclass
from typing import Any

from ledger.decider import Decider, Refused


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the decider said."""

    events: list[Any] | None
    refusal: Refused | None

    def then(self, *events: Any) -> None:
        """Exactly these events are recorded."""
        assert self.refusal is None, f"refused: {self.refusal.code} {self.refusal.details}"
        assert self.events == list(events)

    def nothing(self) -> None:
        """It is so already: nothing is recorded."""
        self.then()

    def refused(self, code: str, **details: object) -> None:
        """Refused with this code, and at least these details."""
        assert self.refusal is not None, f"not refused: {self.events}"
        assert self.refusal.code == code
        assert {name: self.refusal.details.get(name) for name in details} == details


@dataclass(frozen=True, slots=True)
class Given:
    """A decider and what happened so far."""

    decider: Decider[Any, Any, Any]
    state: Any

    def when(self, command: Any) -> Outcome:
        """Put the command to the decider; what it allows can also be folded."""
        try:
            events = list(self.decider.decide(command, self.state))
        except Refused as refusal:
            return Outcome(None, refusal)
        self.decider.fold(events, self.state)
        return Outcome(events, None)


def given(decider: Decider[Any, Any, Any], *events: Any) -> Given:
    """The stream holds these events."""
    return Given(decider, decider.fold(events, decider.initial))
