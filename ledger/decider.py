"""The three functions of an aggregate, as data. A decider reads no clock, does no I/O and knows no framework."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C", contravariant=True)
S = TypeVar("S")
E = TypeVar("E")


class Refused(Exception):
    """A command that the rules do not allow. ``code`` is stable; its sentences, in Chinese and English, stand in the
    service's catalogue, and ``details`` fill their blanks (never personal data)."""

    def __init__(self, code: str, /, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


@dataclass(frozen=True, slots=True)
class Decider(Generic[C, S, E]):
    """``decide(command, state)`` gives the events to record: none where it is already so; it raises :class:`Refused`
    where the rules say no. ``evolve(state, event)`` gives the state after an event. ``initial`` is the state of a
    stream without events."""

    initial: S
    decide: Callable[[C, S], Sequence[E]]
    evolve: Callable[[S, E], S]

    def fold(self, events: Iterable[E], state: S) -> S:
        """The state after ``events``, beginning from ``state``."""
        for event in events:
            state = self.evolve(state, event)
        return state
