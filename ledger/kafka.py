"""Where Kafka is and how to speak to it; the topics, made explicitly and never changed."""

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.partitioner import murmur2
from xiapai_contracts.topic import Topic

from ledger.ending import closed

HUNDRED_YEARS_MS = 100 * 365 * 86_400_000

Partition = tuple[str, int]
"""Name of a topic (without prefix) and number of a partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """How to reach a broker, and what it can do.

    ``bootstrap`` is ``host:port,host:port``. ``prefix`` stands before the name of every topic and consumer group.
    ``idempotent`` and ``single_record_batches`` follow what the broker can: the embedded one has no idempotent
    producer and counts offsets wrongly after batches of several records. ``replication`` is the factor of topics that
    are made (3 in production). ``session_timeout_seconds`` is how long a silent reader keeps its partitions.
    """

    bootstrap: str
    prefix: str = ""
    idempotent: bool = True
    single_record_batches: bool = False
    replication: int = 1
    session_timeout_seconds: float = 10.0
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    ca_file: str = ""

    def connection(self) -> dict[str, Any]:
        """What every client of aiokafka needs."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
            # Deleted, recreated and grown topics are noticed after this long.
            "metadata_max_age_ms": 10_000,
        }
        if "SSL" in self.security_protocol:
            options["ssl_context"] = ssl.create_default_context(cafile=self.ca_file or None)
        if "SASL" in self.security_protocol:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        return options


class TopicMismatch(RuntimeError):
    """A topic exists, but is not what its declaration says; the message says which and how."""


def topic_name(settings: KafkaSettings, topic: Topic) -> str:
    """The topic's name at the broker."""
    return settings.prefix + topic.name


@lru_cache(maxsize=65536)
def partition_of(stream: str, partitions: int) -> int:
    """Where Kafka's default partitioner puts the key ``stream``."""
    return int((murmur2(stream.encode()) & 0x7FFFFFFF) % partitions)


@contextmanager
def _no_broker() -> Iterator[None]:
    """The admin client looks for a node or a controller and stumbles where there is none at the moment."""
    try:
        yield
    except (AttributeError, AssertionError) as error:
        raise KafkaConnectionError("no broker answers") from error


class Admin:
    """A connection for looking at topics and making them; use with ``async with``."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client = AIOKafkaAdminClient(**settings.connection(), request_timeout_ms=15_000)

    async def __aenter__(self) -> "Admin":
        try:
            await self._client.start()
        except BaseException:
            await closed(self._client.close())
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await closed(self._client.close())

    async def partitions(self) -> dict[str, int]:
        """The number of partitions of every topic there is.

        All topics are asked for, since asking for one by name makes it where the broker creates topics by itself.
        """
        with _no_broker():
            found = await self._client.describe_topics(None)
        return {topic["topic"]: len(topic["partitions"]) for topic in found}

    async def create(self, topics: Iterable[Topic]) -> None:
        """Make these topics; one that another process has just made is left."""
        with _no_broker():
            made = await self._client.create_topics([self._new(topic) for topic in topics])
        for name, code, *_ in made.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(f"topic {name} cannot be made")

    def _new(self, topic: Topic) -> NewTopic:
        kept = "-1" if topic.retention_hours is None else str(topic.retention_hours * 3_600_000)
        configs = {"cleanup.policy": "compact" if topic.compacted else "delete", "retention.ms": kept}
        if topic.compacted:
            # A deletion is remembered for good, not for a day: whoever restores a backup from before it learns of it.
            configs["delete.retention.ms"] = str(HUNDRED_YEARS_MS)
        return NewTopic(
            topic_name(self._settings, topic), topic.partitions, self._settings.replication, topic_configs=configs
        )


async def ensure_topics(settings: KafkaSettings, topics: Iterable[Topic]) -> list[str]:
    """Make the topics that are missing; the names of those made.

    Raises:
        TopicMismatch: one exists with another number of partitions, on which the order of its streams hangs.
        KafkaError: the broker cannot be reached, or refuses.
    """
    async with Admin(settings) as admin:
        there = await admin.partitions()
        missing = []
        for topic in topics:
            name = topic_name(settings, topic)
            if name not in there:
                missing.append(topic)
            elif there[name] != topic.partitions:
                raise TopicMismatch(
                    f"topic {name} has {there[name]} partitions and needs {topic.partitions}: "
                    "move it away, or let the broker create no topics by itself"
                )
        if missing:
            await admin.create(missing)
        return [topic_name(settings, topic) for topic in missing]


def describe(error: BaseException) -> str:
    """A failure in a few words for a log, without the values that a driver may have put into its message."""
    if isinstance(error, KafkaError):
        return f"{type(error).__name__}: {error}"[:200]
    return type(error).__name__
