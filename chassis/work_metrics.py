"""What relays and workers say of themselves at a scrape."""

from collections.abc import Iterable
from time import monotonic

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ledger.relay import Relay
from ledger.worker import Worker


class RelayMetrics(Collector):
    """The relays of a process, by service. The lag is the leader's to say; one that waits knows none."""

    def __init__(self, relays: dict[str, Relay]) -> None:
        self._relays = relays

    def collect(self) -> Iterable[Metric]:
        by = ["service"]
        leader = GaugeMetricFamily("xiapai_relay_leader", "whether this relay publishes", labels=by)
        lag = GaugeMetricFamily("xiapai_relay_lag_events", "events that the broker has not acknowledged", labels=by)
        still = GaugeMetricFamily("xiapai_relay_progress_age_seconds", "since the relay last got on", labels=by)
        trouble = GaugeMetricFamily("xiapai_relay_trouble", "whether something stands in the way", labels=by)
        for service, relay in self._relays.items():
            leader.add_metric([service], float(relay.is_leader))
            still.add_metric([service], monotonic() - relay.last_progress)
            trouble.add_metric([service], float(bool(relay.trouble)))
            if relay.is_leader:
                lag.add_metric([service], relay.lag)
        yield from (leader, lag, still, trouble)


class WorkerMetrics(Collector):
    """The handlers of a worker. Of several workers, each says it of the partitions that it reads."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterable[Metric]:
        by = ["handler"]
        lag = GaugeMetricFamily("xiapai_handler_lag_records", "records not yet read", labels=by)
        trouble = GaugeMetricFamily("xiapai_handler_trouble", "whether something stands in the way", labels=by)
        gaps = GaugeMetricFamily("xiapai_handler_gap_partitions", "partitions in which events are missing", labels=by)
        still = GaugeMetricFamily("xiapai_handler_progress_age_seconds", "since the reader last got on", labels=by)
        raw = CounterMetricFamily(
            "xiapai_handler_unreadable_records", "records parked raw since the process began", labels=by
        )
        for reader in self._worker.readers:
            name = [reader.handler.name]
            lag.add_metric(name, reader.lag)
            trouble.add_metric(name, float(bool(reader.trouble)))
            gaps.add_metric(name, len(reader.alarms))
            still.add_metric(name, monotonic() - reader.last_progress)
            raw.add_metric(name, reader.unreadable)
        yield from (lag, trouble, gaps, still, raw)
