"""Servers in containers, where an engine answers and the image is there or can be had.

Each function gives the address, or a `Reason` why not, quickly: the next choice is as good.
"""

import os
import secrets
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.embedded.process import free_port, listens

if TYPE_CHECKING:
    from docker import DockerClient
    from testcontainers.core.container import DockerContainer

KAFKA_IMAGE = "apache/kafka:4.2.0"
POSTGRES_IMAGE = "postgres:18"
OWNER = "xiapai.test.process"
ANSWER_SECONDS = 15


@dataclass(frozen=True)
class Reason:
    text: str

    def __str__(self) -> str:
        return self.text


def kafka(stack: ExitStack) -> str | Reason:
    if reason := _unavailable(KAFKA_IMAGE):
        return reason
    port = free_port()
    container = (
        _container(KAFKA_IMAGE)
        .with_bind_ports(port, port)
        .with_envs(
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_NODE_ID="1",
            KAFKA_LISTENERS=f"PLAINTEXT://:{port},CONTROLLER://:9093",
            KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://{_host()}:{port}",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
            KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS="4",
            KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
            KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
            KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
            KAFKA_HEAP_OPTS="-Xmx512m",
        )
    )
    return _started(stack, container, "Kafka Server started", port) or f"{_host()}:{port}"


def postgres(stack: ExitStack, settings: Mapping[str, str]) -> str | Reason:
    if reason := _unavailable(POSTGRES_IMAGE):
        return reason
    port, password = free_port(), secrets.token_urlsafe(16)
    options = " ".join(f"-c {name}={value}" for name, value in {"max_connections": "200", **settings}.items())
    container = (
        _container(POSTGRES_IMAGE)
        .with_bind_ports(5432, port)
        .with_envs(POSTGRES_PASSWORD=password, POSTGRES_USER="xiapai", POSTGRES_DB="postgres")
        .with_command(f"postgres {options}")
    )
    ready = r"listening on IPv4 address .0\.0\.0\.0.(.|\n)*ready to accept connections"
    return _started(stack, container, ready, port) or f"postgresql://xiapai:{password}@{_host()}:{port}/postgres"


def _host() -> str:
    return os.environ.get("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")


def _container(image: str) -> "DockerContainer":
    # The reaper is one more image to pull; the session removes its containers, and the next one those of a killed one.
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.environ.setdefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
    from testcontainers.core.container import DockerContainer

    return DockerContainer(image).with_kwargs(auto_remove=True, labels={OWNER: str(os.getpid())})


def _remove_abandoned(client: "DockerClient") -> None:
    for container in client.containers.list(filters={"label": OWNER}):
        if not Path(f"/proc/{container.labels[OWNER]}").exists():
            container.remove(force=True)


def _unavailable(image: str) -> Reason | None:
    """Why the image cannot be run, None where it can: pulled, if need be, as long as bytes keep coming."""
    try:
        import docker
        from docker.errors import DockerException, ImageNotFound
        from requests.exceptions import RequestException
    except ImportError:
        return Reason("testcontainers is not installed")
    try:
        client = docker.from_env(timeout=ANSWER_SECONDS)
        client.ping()
        _remove_abandoned(client)
    except (DockerException, RequestException):
        return Reason("no container engine answers")
    try:
        try:
            client.images.get(image)
        except ImageNotFound:
            for line in client.api.pull(image, stream=True, decode=True):
                if "error" in line:
                    return Reason(f"image {image} cannot be pulled")
    except (DockerException, RequestException):
        return Reason(f"image {image} cannot be pulled")
    finally:
        client.close()
    return None


def _started(stack: ExitStack, container: "DockerContainer", ready: str, port: int) -> Reason | None:
    from docker.errors import DockerException
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    try:
        container.waiting_for(LogMessageWaitStrategy(ready).with_startup_timeout(60)).start()
    except (DockerException, TimeoutError, RuntimeError) as error:
        container.stop()
        return Reason(f"the container did not start ({type(error).__name__})")
    stack.callback(container.stop)
    until = time.monotonic() + ANSWER_SECONDS
    while not listens(port):
        if time.monotonic() > until:
            return Reason("the container's port is not reached from here")
        time.sleep(0.1)
    return None
