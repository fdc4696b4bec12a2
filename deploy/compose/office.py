"""An office at work with a running installation, over HTTP alone: commands, questions, a workbook, the desk."""

import json
import re
import time
import urllib.error
import urllib.request
import uuid
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from deploy.compose.stack import Wrong, eventually

FIGURES: dict[int, object] = dict(
    enumerate(
        # the city's 5, the district's 10, the hosts reached 7, the basis document 2: as the demo district is described
        [62, 28, 14, 11, 9, 1086, 412, 92, 138, 118, 74, 96, 32, 64, 60, 16, 396, 88, 118, 16, 104, 128, 2026, 3],
        start=1,
    )
)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Office:
    """Speaks to `url` with a bearer token."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self._token = url, token
        self._units = 0

    def _ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        shown = {"Authorization": f"Bearer {self._token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        request = urllib.request.Request(self.url + path, data=body, headers=shown)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()
        except OSError:  # nobody listens, or the connection broke: as good as 503
            return 503, b""

    def status(self, path: str) -> int:
        return self._ask(path)[0]

    def get(self, path: str) -> Any:
        """The answer's JSON. Wrong for anything but 200."""
        status, body = self._ask(path)
        if status != 200:
            raise Wrong(f"GET {path}: {status} {body.decode()[:500]}")
        return json.loads(body)

    def figures(self) -> dict[int, object]:
        """The counted figures of 2026H1."""
        return {one["n"]: one["value"] for one in self.get("/api/query/situation/2026H1")["figures"] if one["n"] <= 24}

    def position(self) -> int:
        """How far the registry's ledger is visible."""
        return int(self.get("/api/query/situation/2026H1")["positions"]["registry"])

    def has_reports(self) -> bool:
        return bool(self.get("/api/reporting/reports?limit=1")["items"])

    def import_workbook(self, workbook: Path) -> None:
        """Send it, follow the job, and return once readers see all of it. Wrong where a row was refused."""
        key = str(uuid.uuid4())
        path = "/api/registry/imports?name=demo.xlsx"
        status, body = self._ask(path, workbook.read_bytes(), Content_Type=XLSX, Idempotency_Key=key)
        if status != 202:
            raise Wrong(f"import: {status} {body.decode()[:500]}")
        job: dict[str, Any] = json.loads(body)
        until = time.monotonic() + 300
        while job["state"] not in ("done", "failed"):
            if time.monotonic() > until:
                raise Wrong("the import is not done within five minutes")
            time.sleep(0.3)
            job = self.get(f"/api/registry/imports/{job['id']}")
        refused = sum(int(counts.get("未通过", 0)) for counts in job["counts"].values())
        if job["state"] != "done" or refused or not job["counts"]:
            raise Wrong(f"import {job['state']}: {refused} rows refused, {job['refusal']}")
        self._seen(int((job["positions"] or {}).get("registry", 0)), 60.0)

    def write_and_see(self, seconds: float) -> None:
        """Register a village under one key until it is acknowledged, then wait until readers see it."""
        self._units += 1
        body = {"unit": f"T{self._units:05}", "name": f"试点村{self._units}", "kind": "VILLAGE", "parent": "J0005"}
        sent = json.dumps(body | {"poor_village": False, "division": "990117"}).encode()
        key = str(uuid.uuid4())
        answer: list[tuple[int, bytes]] = []

        def taken() -> bool:
            said = self._ask("/api/registry/units", sent, Content_Type="application/json", Idempotency_Key=key)
            if said[0] not in (200, 201, 409, 429, 503):
                raise Wrong(f"a command was answered {said[0]} {said[1].decode()[:500]}")
            answer[:] = [said]
            return said[0] in (200, 201)

        eventually(taken, seconds, "a command was not taken")
        self._seen(int(json.loads(answer[0][1])["position"]), seconds)

    def _seen(self, position: int, seconds: float) -> None:
        def visible() -> bool:
            return self._ask("/api/query/roster?limit=1", After=f"registry@{position}")[0] == 200

        eventually(visible, seconds, f"registry@{position} was not visible to readers")

    def log_in_and_look(self, shown: str) -> None:
        """Log in at the desk as one of the demo people, as a browser does; its report must show this text."""
        jar = urllib.request.HTTPCookieProcessor(CookieJar())
        browser = urllib.request.build_opener(jar)
        browser.addheaders = [("Accept", "text/html")]
        with browser.open(self.url + "/", timeout=20) as page:
            form = page.read().decode().split("</form>")[0]
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))
        chosen = urlencode(hidden | {"subject": "demo-office-1"}).encode()
        browser.open(self.url + "/dev-issuer/authorize", data=chosen, timeout=20).close()
        with browser.open(self.url + "/?half=2026H1", timeout=20) as page:
            if shown not in page.read().decode():
                raise Wrong(f"the desk does not show {shown}")
        print("     -  logged in at the desk: it shows the figures")
