"""The compose file, running under a project name of its own: what is done to it and what is seen of it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

PROJECT = "xiapai-check"
LEADERS = (
    "SELECT host(client_addr) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND objid = hashtext('xiapai.relay')::bigint & 4294967295 AND granted"
    " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = 'registry')"
)


class Wrong(Exception):
    """Something did not hold; the message says what."""


class Stack:
    """`docker compose` in a checkout. CalledProcessError where a command fails; its output stands in the log."""

    def __init__(self, checkout: Path, project: str = PROJECT) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.shown = f"XIAPAI_PORT={port} XIAPAI_VERSION={project} docker compose -p {project}"
        self.network = f"{project}_default"
        self.checkout, self.project = checkout, project
        self._environment = dict(os.environ) | {"XIAPAI_PORT": str(port), "XIAPAI_VERSION": project}
        self._files: list[str] = []

    def run_as(self, version: str) -> None:
        """From now on the image of this tag is meant."""
        self._environment["XIAPAI_VERSION"] = version

    def begin_anew(self, file: str) -> None:
        """From now on another compose file is read along, and the image is this checkout's."""
        self.run_as(self.project)
        files = ("docker-compose.yml", "docker-compose.override.yml", file)
        self._files = [word for one in files for word in ("-f", one)]

    def build(self, folder: Path, version: str) -> None:
        """An image of another checkout."""
        dockerfile = str(folder / "deploy" / "Dockerfile")
        self.engine("build", "-q", "-f", dockerfile, "-t", f"xiapai:{version}", str(folder))

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        done = self.tried(*words)
        if done.returncode:
            sys.stderr.write(done.stderr.decode()[-4000:])
            raise Wrong(f"`docker compose {' '.join(words)}` ended with {done.returncode}")
        return done

    def tried(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """The same, where it may fail."""
        command = ["docker", "compose", "--progress", "plain", *self._files, "-p", self.project, *words]
        return subprocess.run(command, cwd=self.checkout, env=self._environment, capture_output=True)

    def compose(self, *words: str) -> None:
        self.run(*words)

    def output(self, *words: str) -> str:
        return self.run(*words).stdout.decode()

    def sound(self) -> None:
        """The read models are what the ledger says, and its chains hold."""
        for what, verb in (("audited", "audit"), ("chains verified", "verify-chain")):
            took(what, partial(self.compose, "exec", "-T", "registry-worker", "xiapai", verb))

    def engine(self, *words: str) -> str:
        return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout

    def remove(self) -> None:
        self.run("down", "-v", "--remove-orphans")
        for version in (self.project, f"{self.project}-newer"):
            subprocess.run(["docker", "image", "rm", f"xiapai:{version}"], capture_output=True)

    def show_logs(self) -> None:
        for service in ("migrate", "topics", "postgres", "kafka", "registry-relay", "projection-worker", "gateway"):
            sys.stderr.write(self.tried("logs", "--tail", "8", service).stdout.decode())

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers that run."""
        return self.output("ps", "-q", service).split()

    def inspected(self) -> dict[str, dict[str, Any]]:
        """What the engine says of every container, by `service` or `service-2`."""
        found = json.loads(self.engine("inspect", *self.output("ps", "-aq").split()))
        return {state["Name"].removeprefix(f"/{self.project}-").removesuffix("-1"): state for state in found}

    def restarts(self, service: str) -> int:
        return int(self.inspected()[service]["RestartCount"])

    def healthy(self, service: str) -> bool:
        return bool(self.inspected()[service]["State"].get("Health", {}).get("Status") == "healthy")

    def kill_process(self, service: str) -> None:
        """SIGKILL for what the container is there for, as the kernel does it where memory is short."""
        kill = "kill -9 $(cat /proc/1/task/1/children)"
        subprocess.run(["docker", "exec", self.containers(service)[0], "sh", "-c", kill], capture_output=True)

    def relays(self) -> list[str]:
        return self.containers("registry-relay")

    def leader(self) -> str:
        """The container of the registry's relay that holds the lock, waited for."""
        found: list[str] = []

        def known() -> bool:
            query = ("exec", "-T", "postgres", "psql", "-U", "xiapai", "-d", "registry", "-Atc", LEADERS)
            address = self.output(*query).strip()
            found[:] = [relay for relay in self.relays() if address and self._address(relay) == address]
            return bool(found)

        eventually(known, 30.0, "no relay leads")
        return found[0]

    def _address(self, container: str) -> str:
        return self.engine(
            "inspect",
            container,
            "--format",
            f'{{{{with index .NetworkSettings.Networks "{self.network}"}}}}{{{{.IPAddress}}}}{{{{end}}}}',
        ).strip()


def eventually(holds: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Wait until it holds. Wrong where it does not in time."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise Wrong(f"{otherwise} within {seconds:.0f} s")
        time.sleep(0.5)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def took(what: str, do: Callable[[], object]) -> float:
    """Do it, and say how many seconds it took."""
    began = time.monotonic()
    do()
    seconds = time.monotonic() - began
    print(f"{seconds:6.1f}  {what}", flush=True)
    return seconds
