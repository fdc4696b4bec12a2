"""What a process of ours can be."""

from enum import StrEnum


class ProcessRole(StrEnum):
    """What a process does: answer, publish, or work on what others published."""

    API = "api"
    RELAY = "relay"
    WORKER = "worker"
