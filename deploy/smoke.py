#!/usr/bin/env python3
"""Takes the one-machine start as a stranger would: up, until the demo's figures are there, and down again.

`deploy/smoke.py [DATA]`: runs the checkout that it stands in. Exits 0 where it came up, answered and left nothing behind.
"""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
READY, DEMO = "就绪", "演示数据已就绪"
SECONDS = 300.0


def main() -> int:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="xiapai-smoke-"))
    began = time.monotonic()
    up = subprocess.Popen(
        [CHECKOUT / "xiapai", "up", "--data", data, "--port", str(free_port())],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    timer = threading.Timer(SECONDS, up.kill)
    timer.start()
    try:
        url = watch(up, began)
        if not url:
            return complain(f"`up` ended, or took longer than {SECONDS:.0f} s, before it said {DEMO}")
        figures = ask(url, data)
        known = [figure for figure in figures if figure["state"] == "reported"]
        if not known:
            return complain("no figure of the situation report is known")
        print(f"smoke: {len(known)} figures known, {time.monotonic() - began:.1f} s after the start", flush=True)
    finally:
        timer.cancel()
        if up.poll() is None:
            up.send_signal(signal.SIGINT)
        try:
            up.wait(30.0)
        except subprocess.TimeoutExpired:
            up.kill()
            return complain("`up` did not stop within 30 s of Ctrl-C")
    left = of_session(up.pid)
    return complain(f"left behind: {', '.join(left)}") if left else 0


def watch(up: subprocess.Popen[str], began: float) -> str:
    """Pass on what `up` prints until the demo is in; the address that it printed."""
    url = ""
    assert up.stdout is not None
    for line in up.stdout:
        print(f"{time.monotonic() - began:6.1f} {line}", end="", flush=True)
        if "http://" in line:
            url = "http://" + line.split("http://", 1)[1].split()[0].rstrip("/")
        if DEMO in line:
            return url
    return ""


def ask(url: str, data: Path) -> list[dict[str, str]]:
    command = [str(CHECKOUT / "xiapai"), "token", "--role", "office", "--data", str(data)]
    token = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    request = urllib.request.Request(f"{url}/api/query/situation/2026H1", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        figures: list[dict[str, str]] = json.load(answer)["figures"]
    return figures


def of_session(leader: int) -> list[str]:
    """Commands of the processes that `up` and its children started and that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = status.read_text().split("(", 1)[1].rsplit(") ", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, _parent, _group, session = fields.split()[:4]
        if int(session) == leader and state != "Z":
            found.append(name)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def complain(what: str) -> int:
    print(f"smoke: {what}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
