"""An office at work with a running installation, over HTTP alone: commands, questions, a workbook, the desk."""

import json
import re
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
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


class Reader:
    """Somebody who looks at the figures again and again."""

    def __init__(self, office: "Office") -> None:
        self._office, self._stop = office, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.answers: Counter[int] = Counter()
        self.wrong = 0
        self.longest = 0.0
        """Seconds from one right answer to the next, at most."""

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(0.05):
            status, body = self._office.ask("/api/query/situation/2026H1")
            self.answers[status] += 1
            if status == 200:
                self.wrong += counted(json.loads(body)) != FIGURES
                self.longest, last = max(self.longest, time.monotonic() - last), time.monotonic()


def counted(report: Any) -> dict[int, object]:
    return {one["n"]: one["value"] for one in report["figures"] if one["n"] <= 24}


class Office:
    """Speaks to `url` with a bearer token."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self._units = 0

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Status and body; 503 where nobody answers at all."""
        shown = {"Authorization": f"Bearer {self.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        request = urllib.request.Request(self.url + path, data=body, headers=shown)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()
        except OSError:  # nobody listens, or the connection broke: as good as 503
            return 503, b""

    def status(self, path: str) -> int:
        return self.ask(path)[0]

    def get(self, path: str) -> Any:
        """The answer's JSON. Wrong for anything but 200."""
        status, body = self.ask(path)
        if status != 200:
            raise Wrong(f"GET {path}: {status} {body.decode()[:500]}")
        return json.loads(body)

    def figures(self) -> dict[int, object]:
        """The counted figures of 2026H1."""
        return counted(self.get("/api/query/situation/2026H1"))

    def position(self) -> int:
        """How far the registry's ledger is visible."""
        return int(self.get("/api/query/situation/2026H1")["positions"]["registry"])

    def has_reports(self) -> bool:
        return bool(self.get("/api/reporting/reports?limit=1")["items"])

    def import_workbook(self, workbook: Path) -> None:
        """Send it, follow the job, and return once readers see all of it. Wrong where a row was refused."""
        key = str(uuid.uuid4())
        path = "/api/registry/imports?name=demo.xlsx"
        status, body = self.ask(path, workbook.read_bytes(), Content_Type=XLSX, Idempotency_Key=key)
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
        self.see(int((job["positions"] or {}).get("registry", 0)), 60.0)

    def write_and_see(self, seconds: float) -> None:
        """Register a village until it is acknowledged, then wait until readers see it."""
        self.see(self.write(seconds), seconds)

    def write(self, seconds: float) -> int:
        """Register a village under one key until it is acknowledged; its position."""
        sent, key = self._village(), str(uuid.uuid4())
        answer: list[tuple[int, bytes]] = []

        def taken() -> bool:
            said = self.ask("/api/registry/units", sent, Content_Type="application/json", Idempotency_Key=key)
            if said[0] not in (200, 201, 409, 429, 503):
                raise Wrong(f"a command was answered {said[0]} {said[1].decode()[:500]}")
            answer[:] = [said]
            return said[0] in (200, 201)

        eventually(taken, seconds, "a command was not taken")
        return int(json.loads(answer[0][1])["position"])

    def may_write(self) -> bool:
        """Whether a village was taken at the first attempt."""
        headers = {"Content_Type": "application/json", "Idempotency_Key": str(uuid.uuid4())}
        return self.ask("/api/registry/units", self._village(), **headers)[0] in (200, 201)

    def _village(self) -> bytes:
        self._units += 1
        body = {"unit": f"T{self._units:05}", "name": f"试点村{self._units}", "kind": "VILLAGE", "parent": "J0005"}
        return json.dumps(body | {"poor_village": False, "division": "990117"}).encode()

    def see(self, position: int, seconds: float) -> None:
        """Wait until readers see the registry's ledger up to there."""

        def visible() -> bool:
            return self.ask("/api/query/roster?limit=1", After=f"registry@{position}")[0] == 200

        eventually(visible, seconds, f"registry@{position} was not visible to readers")

    def erase_somebody(self) -> str:
        """The code of a person whose key is destroyed now."""
        person = str(self.get("/api/query/roster?limit=1")["items"][0]["person"])
        status, body = self.ask(
            f"/api/registry/persons/{person}/erase",
            json.dumps({"ground": "本人申请"}).encode(),
            Content_Type="application/json",
            Idempotency_Key=str(uuid.uuid4()),
        )
        if status != 200:
            raise Wrong(f"erase: {status} {body.decode()[:500]}")
        return person

    def is_erased(self, person: str) -> bool:
        return bool(self.get(f"/api/registry/persons/{person}")["state"] == "erased")

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
