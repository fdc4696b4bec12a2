"""What was promised, held against what is there. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Fact = tuple[str, int]
"""An event: its stream, and its version there."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of ``promised`` events those that are ``lost``, that took effect more than once or that nobody was promised
    (``doubled``), and that came after a later one of their stream (``inverted``)."""

    promised: int
    lost: Sequence[Fact]
    doubled: Sequence[Fact]
    inverted: Sequence[Fact]

    @property
    def kept(self) -> bool:
        return not (self.lost or self.doubled or self.inverted)

    def __str__(self) -> str:
        said = [f"{self.promised} promised"]
        for word, facts in (("lost", self.lost), ("doubled", self.doubled), ("inverted", self.inverted)):
            shown = ", ".join(f"{stream}@{version}" for stream, version in facts[:5])
            said.append(f"{len(facts)} {word}" + (f" ({shown}{', …' if len(facts) > 5 else ''})" if facts else ""))
        return ", ".join(said)


def judge(promised: Iterable[Fact], found: Iterable[Fact], unsure: Iterable[Fact] = ()) -> Verdict:
    """``found`` in the order in which it took effect; ``unsure`` may be there or not, once."""
    found = list(found)
    due, there = Counter(promised), Counter(found)
    inverted, reached = [], dict[str, int]()
    for stream, version in found:
        if version < reached.get(stream, 0):
            inverted.append((stream, version))
        reached[stream] = max(version, reached.get(stream, 0))
    return Verdict(
        promised=due.total(),
        lost=sorted((due - there).elements()),
        doubled=sorted((there - due - Counter(unsure)).elements()),
        inverted=inverted,
    )
