"""What is measured is told under stable names, without anything personal, also while a database is away."""

import asyncio
import shutil
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.http import make_app
from chassis.measures import DatabaseMeasures, Measure, query
from chassis.metrics import Disk, Metrics
from chassis.work_metrics import RelayMetrics, WorkerMetrics
from deploy.embedded.process import free_port
from ledger.append import Append, Appender, ClaimTaken, VersionConflict
from ledger.claims import Claim
from ledger.database import connect
from ledger.deliver import Handler
from ledger.kafka import KafkaSettings
from ledger.relay import Relay
from ledger.worker import Worker
from tests.ledger.conftest import AT, CODEC, Made, engine  # noqa: F401

KAFKA = KafkaSettings(bootstrap="127.0.0.1:1")


async def scraped(metrics: Metrics) -> str:
    app = make_app("trial", observe=metrics.request)
    app.add_route("/metrics", metrics.endpoint)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://trial") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    return answer.text


async def test_requests_are_counted_by_template_and_never_by_path_or_made_up_method() -> None:
    metrics = Metrics()
    app = make_app("trial", observe=metrics.request)

    @app.get("/persons/{name}")
    async def person(name: str) -> str:
        return name

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://trial") as client:
        await client.get("/persons/单雄?phone=13912345678")
        await client.request("BREW", "/persons/单雄")
        await client.get("/nowhere/单雄")
        await client.get("/livez")

    def count(method: str, route: str, status: str) -> float | None:
        labels = {"method": method, "route": route, "status": status}
        return metrics.registry.get_sample_value("xiapai_http_requests_total", labels)

    assert count("GET", "/persons/{name}", "200") == 1
    assert count("GET", "-", "404") == 1, "health pages are not counted"
    of_one = {"method": "GET", "route": "/persons/{name}"}
    assert metrics.registry.get_sample_value("xiapai_http_request_seconds_count", of_one) == 1
    told = await scraped(metrics)
    assert "BREW" not in told and 'method="other"' in told
    assert "单雄" not in told and "139123" not in told


async def test_an_appender_tells_how_long_its_groups_took_and_what_conflicted(engine: AsyncEngine) -> None:  # noqa: F811
    metrics = Metrics()

    def append(stream: str, expected: int = 0, *claims: Claim) -> Append:
        return Append(by="u1", at=AT, events=[(stream, Made(thing=stream))], expected={stream: expected}, claims=claims)

    async with Appender(engine, CODEC, observe=metrics.appends("registry")) as appender:
        await asyncio.gather(*(appender.append(append(f"thing-{n}")) for n in range(5)))
        with pytest.raises(VersionConflict):
            await appender.append(append("thing-1", 7))
        await appender.append(append("thing-8", 0, Claim("number", "1", "thing-8")))
        with pytest.raises(ClaimTaken):
            await appender.append(append("thing-9", 0, Claim("number", "1", "thing-9")))

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"service": "registry", **labels})

    assert value("xiapai_append_seconds_count") == value("xiapai_commit_items_sum") == 8
    assert value("xiapai_commit_seconds_count") == value("xiapai_commit_items_count")
    assert value("xiapai_append_conflicts_total", kind="version") == 1
    assert value("xiapai_append_conflicts_total", kind="claim") == 1
    assert value("xiapai_append_conflicts_total", kind="key") == 0
    waited, committed = value("xiapai_append_seconds_sum"), value("xiapai_commit_seconds_sum")
    assert waited is not None and committed is not None and waited >= committed > 0


PARK = text(
    'INSERT INTO dead_letters (handler, topic, partition, "offset", stream, epoch, position, headers, reason, parked_at)'
    " VALUES (:handler, 't', 0, :n, :stream, 'e', :n, '[]', 'r', now())"
)


async def test_what_is_parked_is_told_by_handler_and_one_type_line_serves_all_services(engine: AsyncEngine) -> None:  # noqa: F811
    async with engine.begin() as connection:
        for n, (handler, stream) in enumerate([("a", "s1"), ("a", "s1"), ("a", "s2"), ("b", "s1")]):
            await connection.execute(PARK, {"handler": handler, "n": n, "stream": stream})
    metrics = Metrics()
    metrics.databases.add("registry", engine, [Measure("xiapai_seven", "seven", query("SELECT 7"))])
    metrics.databases.add("notify", engine)
    told = await scraped(metrics)
    assert 'xiapai_parked_letters{handler="a",service="registry"} 3.0' in told
    assert 'xiapai_parked_streams{handler="a",service="notify"} 2.0' in told
    assert 'xiapai_parked_streams{handler="b",service="registry"} 1.0' in told
    assert 'xiapai_ledger_position{service="notify"} 0.0' in told
    assert 'xiapai_seven{service="registry"} 7.0' in told and told.count("xiapai_seven{") == 1
    assert told.count("# TYPE xiapai_parked_letters ") == 1


async def test_a_database_that_is_away_is_said_and_what_it_said_before_is_not(engine: AsyncEngine) -> None:  # noqa: F811
    registry, asked = CollectorRegistry(), DatabaseMeasures()
    registry.register(asked)
    away = connect(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    asked.add("registry", engine)
    asked.add("notify", away)
    await asked.refresh()
    assert registry.get_sample_value("xiapai_database_up", {"service": "registry"}) == 1
    assert registry.get_sample_value("xiapai_database_up", {"service": "notify"}) == 0
    assert registry.get_sample_value("xiapai_ledger_position", {"service": "registry"}) == 0
    assert registry.get_sample_value("xiapai_ledger_position", {"service": "notify"}) is None
    asked.add("registry", away)
    await asked.refresh()
    assert registry.get_sample_value("xiapai_ledger_position", {"service": "registry"}) is None


async def test_answers_of_the_database_are_kept_for_a_moment_so_that_scrapes_do_not_crowd_it(
    engine: AsyncEngine,  # noqa: F811
) -> None:
    asked, looks = DatabaseMeasures(), []

    async def ask(connection: object) -> list[tuple[int]]:
        looks.append(connection)
        return [(1,)]

    asked.add("registry", engine, [Measure("xiapai_one", "one", ask)])
    await asyncio.gather(*(asked.refresh() for _ in range(20)))
    assert len(looks) == 1


async def test_a_relay_that_waits_for_the_lead_tells_no_lag(engine: AsyncEngine) -> None:  # noqa: F811
    relay, registry = Relay(engine, KAFKA, "registry", ()), CollectorRegistry()
    registry.register(RelayMetrics({"registry": relay}))
    own = {"service": "registry"}
    assert registry.get_sample_value("xiapai_relay_leader", own) == 0
    assert registry.get_sample_value("xiapai_relay_lag_events", own) is None
    relay.is_leader, relay.lag, relay.trouble = True, 12, "broker: away"
    assert registry.get_sample_value("xiapai_relay_lag_events", own) == 12
    assert registry.get_sample_value("xiapai_relay_trouble", own) == 1


async def test_a_worker_tells_of_each_handler_lag_trouble_gaps_and_unreadable_records(engine: AsyncEngine) -> None:  # noqa: F811
    async def apply(*_: object) -> None: ...

    worker, registry = Worker("trial", KAFKA, CODEC), CollectorRegistry()
    worker.add(engine, Handler("one", (), apply), Handler("two", (), apply))
    registry.register(WorkerMetrics(worker))
    one = worker.readers[0]
    one.lag, one.trouble, one.unreadable = 5, "", 2
    one.alarms = {("registry.postings", 1)}

    def value(name: str, handler: str) -> float | None:
        return registry.get_sample_value(f"xiapai_handler_{name}", {"handler": handler})

    assert [value("lag_records", "one"), value("trouble", "one"), value("trouble", "two")] == [5, 0, 1]
    assert [value("gap_partitions", "one"), value("gap_partitions", "two")] == [1, 0]
    assert value("unreadable_records_total", "one") == 2
    assert (value("progress_age_seconds", "one") or 0) > 0


def test_the_disk_is_that_of_the_data_folder(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(Disk(tmp_path))
    assert registry.get_sample_value("xiapai_disk_size_bytes") == shutil.disk_usage(tmp_path).total
