"""看板: what Grafana shows. Grafana itself is not run here; each of its queries is, by a real Prometheus that watches the
whole system at work."""

import json
import re
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from command.chaos.words import approve, arrive, person, propose, unit
from tests.e2e.conftest import prepared
from tests.e2e.system import System, give, new_key, records
from tests.infra.prometheus import Prometheus, prometheus
from tests.infra.servers import Infra

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
STANDARD = ("up", "process_resident_memory_bytes", "process_cpu_seconds_total")


def dashboard() -> dict[str, Any]:
    (file,) = (GRAFANA / "dashboards").glob("*.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    """Title of the panel and query, with Grafana's interval filled in as it does for a scrape each second."""
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", "15s"))
        for panel in panels()
        for target in panel["targets"]
    ]


def test_panels_have_names_of_their_own_and_do_not_overlap() -> None:
    every = dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    for panel in every:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24 and place["w"] > 0 and place["h"] > 0, panel["title"]
    for one, other in combinations(every, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (one["title"], other["title"])


def test_every_panel_asks_the_source_that_is_provided_for_it() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    files = (ROOT / "docker-compose.yml", GRAFANA / "compose.yml")
    compose = {name: one for file in files for name, one in yaml.safe_load(file.read_text())["services"].items()}
    assert source["url"] == "http://prometheus:9090" and "prometheus" in compose
    for panel in panels():
        assert panel["targets"], panel["title"]
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": "prometheus", "uid": source["uid"]}, panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/xiapai.yml").read_text())["providers"]
    mounted = {
        volume.split(":")[1]: volume.split(":")[0] for volume in compose["grafana"]["volumes"] if volume[0] == "."
    }
    assert mounted[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    assert mounted["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"


def test_every_panel_speaks_chinese_first_with_english_beside() -> None:
    for panel in dashboard()["panels"]:
        texts = [panel["title"]] + ([panel["description"]] if panel["type"] != "row" else [])
        for text in texts:
            assert re.match("[一-鿿]", text), text
        assert re.search("[一-鿿]", texts[-1]) and re.search("[A-Za-z]{2}", "".join(texts)), texts


def test_every_metric_is_one_that_the_operator_is_told_of_and_no_figure_for_operators_is_left_out() -> None:
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(xiapai_[a-z_]+)`", page))
    asked = {name for _, query in queries() for name in re.findall(r"\bxiapai_[a-z_]+", query)}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in asked} <= told
    alerts = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    watched = set(re.findall(r"\bxiapai_[a-z_]+", alerts))
    assert watched <= asked, "what an alarm watches can be seen"


def test_every_query_gives_figures_on_the_running_system(infra: Infra, tmp_path: Path) -> None:
    with prepared(infra, tmp_path) as whole:
        whole.start()
        whole.until_ready()
        jobs = {f"xiapai-{role}": {f"all-{role}": port} for role, port in whole.ports.items()}
        with prometheus(jobs) as watching:
            end = time.monotonic() + 90
            work = _work(whole)
            while empty := _without_figures(watching):
                next(work)
                assert time.monotonic() < end, empty
                time.sleep(1)


def _without_figures(watching: Prometheus) -> list[tuple[str, str]]:
    """Queries that give no series, or none that is a number."""
    found = []
    for title, query in queries():
        values = [float(one["value"][1]) for one in watching.samples(query)]
        if not any(value == value for value in values):
            found.append((title, query))
    return found


def _work(whole: System) -> Any:
    """Commands that are taken, refused and come second, again and again."""
    with whole.client() as http:
        records(http, unit("BUREAU", "DISTRICT_DEPARTMENT"), unit("V1"), unit("V2"))
        for number in range(1_000):
            code = f"{number:04}"
            records(http, person(f"R{code}"), propose(f"P{code}", f"R{code}", "V1"))
            records(http, approve(f"P{code}"), arrive(f"P{code}"))
            assert give(http, propose(f"Q{code}", f"R{code}", "V2")).status_code == 409
            assert give(http, arrive(f"P{code}", "2020-01-01"), new_key()).status_code in (409, 422)
            assert http.get("/api/query/roster").status_code == 200
            yield


@pytest.mark.parametrize(
    "query", ["xiapai_no_such_figure", 'sum(rate(xiapai_append_seconds_count{service="none"}[15s]))']
)
def test_a_query_of_nothing_gives_nothing(query: str) -> None:
    """What the test above relies on: Prometheus answers it without an error, and without a series."""
    with prometheus({}) as watching:
        assert watching.samples(query) == []
