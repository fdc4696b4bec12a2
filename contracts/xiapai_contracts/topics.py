"""Every topic of the programme. The relay publishes what stands here, and nothing else."""

from typing import Any

from xiapai_contracts import assessment, notify, registry, reporting
from xiapai_contracts.event import Codec
from xiapai_contracts.topic import Topic

TOPICS: tuple[Topic, ...] = (*registry.TOPICS, *reporting.TOPICS, *assessment.TOPICS, *notify.TOPICS)

EVENTS: tuple[type[Any], ...] = tuple(event for topic in TOPICS for event in topic.events)

CODEC = Codec(EVENTS)
"""Reads and writes every public event."""


def topics_of(owner: str) -> tuple[Topic, ...]:
    """The topics that one service writes."""
    return tuple(topic for topic in TOPICS if topic.owner == owner)
