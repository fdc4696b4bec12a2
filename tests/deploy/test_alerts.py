"""Every alarm fires when its cause is planted, is explained to the operator, and watches what a process really says."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
IMAGE = "prom/prometheus:v3.5.0"


@cache
def promtool() -> tuple[str, ...] | None:
    """How promtool is called here, in the folder of the rules."""
    if shutil.which("promtool"):
        return ("promtool",)
    if not shutil.which("docker"):
        return None
    there = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True)
    return None if there.returncode else ("docker", "run", "--rm", "--network", "none", "-w", "/rules")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = promtool()
    if command is None:
        pytest.skip(f"needs promtool: neither the program nor the image {IMAGE} is here")
    if command[0] == "docker":
        command = (*command, "-v", f"{folder}:/rules:ro", "--entrypoint", "promtool", IMAGE)
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_the_configuration_and_its_rules_are_well_formed() -> None:
    answer = run(FOLDER, "check", "config", "prometheus.yml")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_each_alarm_fires_when_its_cause_is_planted_and_none_while_all_is_well() -> None:
    answer = run(FOLDER, "test", "rules", "alerts_test.yml")
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alarm_that_would_never_fire_is_found(rule: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    shutil.copytree(FOLDER, folder)
    folder.chmod(0o755)
    deaf = yaml.safe_load((folder / "alerts.yml").read_text(encoding="utf-8"))
    for one in deaf["groups"][0]["rules"]:
        if one["alert"] == rule["alert"]:
            one["expr"] = f"({one['expr']}) and on () vector(1) > 2"
    (folder / "alerts.yml").write_text(yaml.safe_dump(deaf, allow_unicode=True), encoding="utf-8")
    answer = run(folder, "test", "rules", "alerts_test.yml")
    assert answer.returncode != 0 and rule["alert"] in answer.stdout + answer.stderr


def test_every_alarm_speaks_both_languages_and_has_its_paragraph_for_the_operator() -> None:
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    for rule in rules():
        for said in rule["annotations"].values():
            plain = re.sub(r"{{.*?}}", "", said)
            assert re.search("[一-鿿]", plain) and re.search("[a-z]{3}", plain), said
        assert f"`{rule['alert']}`" in page, rule["alert"]
    assert len(rules()) >= 10
