"""A topic, declared once: who writes it, how many partitions it has, which events it carries."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Topic:
    """One Kafka topic of the programme.

    ``owner`` is the one service that writes it. ``partitions`` never changes, since the order of a stream hangs on it.
    Event topics are kept without end (``retention_hours`` None). ``restricted`` topics carry what only the services
    themselves may read. A ``compacted`` topic keeps the last record of each key; None as its value is a deletion.
    A topic without events carries only markers (see :mod:`xiapai_contracts.record`).
    """

    name: str
    owner: str
    partitions: int
    events: tuple[type[Any], ...] = field(default=())
    restricted: bool = False
    compacted: bool = False
    retention_hours: int | None = None
    about: str = ""
