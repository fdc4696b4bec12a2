"""What a process measures of itself, for Prometheus. The names `xiapai_*` are stable: dashboards and alarms hang on them."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from chassis.measures import DatabaseMeasures
from ledger.append import ClaimTaken, KeyReused, Settled, VersionConflict

SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds in seconds: from a commit on a quiet machine to the appender's patience."""
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CONFLICTS = {VersionConflict: "version", ClaimTaken: "claim", KeyReused: "key"}


class Metrics:
    """One process's registry, with memory, CPU, file handles and garbage collection in it.

    No label says who or what: services, handlers, templates of routes, so that there are few of them and none is
    personal. ``databases`` are asked at a scrape.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.databases = DatabaseMeasures()
        self.add(self.databases)
        own = self.registry
        self._append = Histogram(
            "xiapai_append_seconds", "from a decided command to its receipt", ["service"], buckets=SHORT, registry=own
        )
        self._commit = Histogram(
            "xiapai_commit_seconds", "one transaction of the ledger", ["service"], buckets=SHORT, registry=own
        )
        self._group = Histogram(
            "xiapai_commit_items", "commands in one transaction", ["service"], buckets=SIZES, registry=own
        )
        self._conflicts = Counter(
            "xiapai_append_conflicts_total", "commands that another one preceded", ["service", "kind"], registry=own
        )
        self._requests = Counter("xiapai_http_requests_total", "requests", ["method", "route", "status"], registry=own)
        self._request = Histogram(
            "xiapai_http_request_seconds",
            "until the whole answer is sent",
            ["method", "route"],
            buckets=SHORT,
            registry=own,
        )

    def add(self, *collectors: Collector) -> None:
        """Ask these at every scrape."""
        for collector in collectors:
            self.registry.register(collector)

    def appends(self, service: str) -> Callable[[Settled], None]:
        """What an appender tells its groups to."""
        append, commit, group = (one.labels(service) for one in (self._append, self._commit, self._group))
        conflicts = {kind: self._conflicts.labels(service, name) for kind, name in _CONFLICTS.items()}

        def observe(settled: Settled) -> None:
            commit.observe(settled.commit_seconds)
            group.observe(len(settled.results))
            for seconds, result in zip(settled.seconds, settled.results, strict=True):
                append.observe(seconds)
                if isinstance(result, Exception) and (counter := conflicts.get(type(result))) is not None:
                    counter.inc()

        return observe

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request to an API that has been answered; ``route`` is a template, `-` where none answered."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status or "-")).inc()
        self._request.labels(method, route).observe(seconds)

    async def endpoint(self, request: Request) -> Response:
        """What answers at `/metrics`."""
        await self.databases.refresh()
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


class Disk(Collector):
    """How much room is left where the process keeps its files: in containers, the disk of the containers."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder if folder is not None and folder.is_dir() else Path("/")

    def collect(self) -> Iterable[Metric]:
        found = shutil.disk_usage(self._folder)
        yield GaugeMetricFamily("xiapai_disk_free_bytes", "room left on the disk", found.free)
        yield GaugeMetricFamily("xiapai_disk_size_bytes", "size of the disk", found.total)
