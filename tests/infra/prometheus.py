"""A Prometheus that looks at the processes of a test, every second."""

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.embedded import process
from tests.infra.servers import temporary_folder

PROGRAM = Path("/usr/bin/prometheus")


class Prometheus:
    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: str) -> Any:
        """`data` of an answer of its API; the test fails where it says that the question is wrong."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=20, trust_env=False)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def samples(self, query: str) -> list[dict[str, Any]]:
        """The newest sample of every series that a query gives."""
        found: list[dict[str, Any]] = self.ask("query", query=query)["result"]
        return found


@contextmanager
def prometheus(targets: Mapping[str, Mapping[str, int]]) -> Iterator[Prometheus]:
    """``targets`` are ports on the loopback by job and process. Skips the test where there is no Prometheus."""
    if not PROGRAM.exists():
        pytest.skip("needs Prometheus: not here (apt-get install prometheus)")
    with temporary_folder("prometheus") as folder:
        jobs = [
            {
                "job_name": job,
                "static_configs": [
                    {"targets": [f"127.0.0.1:{port}"], "labels": {"process": name}} for name, port in ports.items()
                ],
            }
            for job, ports in targets.items()
        ]
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(json.dumps(config))
        port = process.free_port()
        command: list[str | Path] = [
            PROGRAM,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        server = process.spawn(command, log=folder / "log", cwd=folder, env={})
        try:
            assert process.wait_until(lambda: process.listens(port), server, seconds=30), process.tail(folder / "log")
            made = Prometheus(f"http://127.0.0.1:{port}")
            end = time.monotonic() + 60
            while any(one["health"] != "up" for one in made.ask("targets")["activeTargets"]):
                assert time.monotonic() < end, made.ask("targets")
                time.sleep(0.5)
            yield made
        finally:
            process.stop(server, [(signal.SIGTERM, 10.0)])
