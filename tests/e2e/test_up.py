"""一条命令: `up` on the embedded servers, the commands that speak to it, and every way of ending it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import asyncpg
import httpx
import openpyxl
import pytest

from command.place import environment_file, running_file
from deploy.embedded import process
from deploy.embedded.apart import run_apart
from tests.e2e.system import CHECKOUT, until, xiapai
from tests.infra.servers import temporary_folder
from tests.services.registry.workbook_file import CADRE, POSTING, UNIT, write

TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")


class Up:
    """`xiapai up` of one data folder, in the foreground of a terminal that we watch."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.lines: list[str] = []
        own = {name: value for name, value in os.environ.items() if not name.startswith("XIAPAI_")}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "command", "up", "--data", str(data), *options],
            cwd=CHECKOUT,
            env=own | {"COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    @property
    def said(self) -> str:
        return "".join(self.lines)

    @property
    def url(self) -> str:
        return str(json.loads(running_file(self.data).read_text())["url"])

    def until_says(self, word: str) -> None:
        until(lambda: word in self.said or self.process.poll() is not None, word)
        assert word in self.said, self.said

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(60)
        self._reading.join(10)
        return code

    def xiapai(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return xiapai(*arguments, environment={"XIAPAI_DATA": str(self.data)} | environment)

    def done(self, *arguments: str) -> str:
        """What a command prints that must succeed."""
        found = self.xiapai(*arguments)
        assert found.returncode == 0, f"{arguments}: {found.stdout}{found.stderr}"
        return found.stdout


def working_in(data: Path) -> dict[int, str]:
    """Processes that have to do with a data folder: by their command line, their working folder or their settings."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            about = [(entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()]
            about.append(os.fsencode(os.readlink(entry / "cwd")))
        except OSError:
            continue
        if any(os.fsencode(data) in one for one in about):
            found[int(entry.name)] = about[0].replace(b"\0", b" ").decode(errors="replace")
    return found


@contextmanager
def up(data: Path, *options: str) -> Iterator[Up]:
    """Ready; ended by force where the test did not end it."""
    made = Up(data, *options)
    try:
        made.until_says("就绪")
        yield made
    except BaseException:
        print(made.said)
        for log in data.glob("*.log"):
            print(f"---- {log.name} ----\n{process.tail(log)}")
        raise
    finally:
        if made.process.poll() is None:
            made.end()


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with temporary_folder("up") as folder:
        yield folder / "data"


@pytest.fixture(scope="module")
def running(data: Path) -> Iterator[Up]:
    """On real time, without the demo."""
    with up(data, "--no-demo", "--port", str(process.free_port())) as made:
        yield made


def workbook(folder: Path, bad: bool = False) -> Path:
    """One unit, one cadre, one posting that has begun; with ``bad`` two more postings that cannot be taken."""
    today = date.today()
    starts = today.replace(year=today.year - 1, day=1)
    posting = POSTING | {"开始日期": starts, "到岗日期": starts, "结束日期": starts.replace(year=starts.year + 2)}
    refused = [posting | {"派驻编号": "P2", "人员编号": "R404"}, posting | {"派驻编号": "P3", "依据文号": None}]
    sheets = {"派驻": [posting, *refused]} if bad else {"派驻": [posting]}
    return write(folder / ("bad.xlsx" if bad else "good.xlsx"), None, 单位=[UNIT], 干部=[CADRE], **sheets)


def test_it_is_ready_and_the_desk_asks_who_one_is(running: Up) -> None:
    assert running.url in running.said
    with httpx.Client(base_url=running.url, follow_redirects=True, trust_env=False) as http:
        page = http.get("/", headers={"Accept": "text/html"})
        assert page.status_code == 200 and page.url.path.endswith("/authorize") and "下派办" in page.text
        assert http.get("/docs").status_code == 200


def test_a_workbook_is_checked_imported_and_imported_again_without_any_change(running: Up, tmp_path: Path) -> None:
    book = workbook(tmp_path)
    head = position(running)
    running.done("import", str(book), "--dry-run")
    assert position(running) == head, "a dry run writes nothing"
    said = running.done("import", str(book), "--back", str(tmp_path / "back.xlsx"))
    assert "已导入" in said
    taken = position(running)
    assert taken > head
    assert results(tmp_path / "back.xlsx", "派驻") == [("已导入", None)]
    running.done("import", str(book))
    assert position(running) == taken, "importing twice changes nothing"


def test_refused_rows_come_back_with_their_reasons(running: Up, tmp_path: Path) -> None:
    back = tmp_path / "back.xlsx"
    done = running.xiapai("import", str(workbook(tmp_path, bad=True)), "--back", str(back))
    assert done.returncode == 3, done.stdout + done.stderr
    first, *refused = results(back, "派驻")
    assert first in (("已存在", None), ("已导入", None))
    assert [result for result, _ in refused] == ["未通过", "未通过"]
    assert all(reason for _, reason in refused)
    none = running.xiapai("import", str(back.with_name("none.xlsx")))
    assert none.returncode == 2
    (tmp_path / "no.xlsx").write_bytes(b"no workbook")
    odd = running.xiapai("import", str(tmp_path / "no.xlsx"))
    assert (odd.returncode, odd.stderr.count("\n")) == (1, 1), odd.stderr


def test_every_command_finds_the_running_one(running: Up) -> None:
    for command in ("audit", "verify-chain", "migrate", "topics"):
        running.done(command)
    running.done("dead-letters", "list")
    running.done("republish", "registry")
    running.done("rebuild")
    running.done("rebuild", "--from-ledger")


def test_a_token_opens_the_api_also_by_its_address(running: Up, tmp_path: Path) -> None:
    token = running.done("token", "--role", "office").strip()
    assert TOKEN.fullmatch(token)
    book = str(workbook(tmp_path))
    nowhere = str(tmp_path / "nowhere")
    elsewhere = {"XIAPAI_DATA": nowhere, "XIAPAI_TOKEN": token}
    assert running.xiapai("import", book, "--url", running.url, **elsewhere).returncode == 0
    for problem in ({"XIAPAI_DATA": nowhere}, {"XIAPAI_DATA": nowhere, "XIAPAI_TOKEN": "no-token"}):
        done = running.xiapai("import", book, "--url", running.url, **problem)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr


def test_chaos_kills_what_up_runs_and_finds_every_promise_kept(running: Up, tmp_path: Path) -> None:
    refused = running.xiapai("chaos", "--kills", "3")
    one_line(refused, "--not-production")
    report = tmp_path / "report.json"
    said = running.done("chaos", "--not-production", "--commands", "60", "--kills", "3", "--json", str(report))
    found = json.loads(report.read_text())
    assert found["kept"] and found["acknowledged"] == found["commands"] >= 60, said
    assert sum(found["faults"].values()) == 3 and found["other_commands_under_a_used_key"]["refused_422"] > 0
    failed = running.xiapai("chaos", "--not-production", "--commands", "20", "--exec", "echo no such thing; false")
    assert failed.returncode == 1 and "no such thing" in failed.stderr, failed.stdout + failed.stderr


def test_a_database_or_a_broker_that_ends_is_started_again_and_all_goes_on(
    running: Up, data: Path, tmp_path: Path
) -> None:
    book = str(workbook(tmp_path))
    running.done("import", book)
    before = position(running)
    for name, pid in {"PostgreSQL": postgres_of(data), "broker": broker_of(data)}.items():
        os.kill(pid, signal.SIGKILL)
        running.until_says(f"{name} 退出(-9)")
        until(lambda: running.xiapai("import", book).returncode == 0, "commands are taken again")
    assert position(running) == before
    assert postgres_of(data) and broker_of(data)
    later = UNIT | {"单位代码": "0077", "单位名称": "后来街道", "统一社会信用代码": None}
    running.done("import", str(write(tmp_path / "later.xlsx", None, 单位=[later], 干部=[], 履历=[], 派驻=[])))
    assert position(running) > before
    until(lambda: running.xiapai("doctor").returncode in (0, 1), "nothing is wrong")
    running.done("audit")
    running.done("verify-chain")


def postgres_of(data: Path) -> int:
    return int((data / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def broker_of(data: Path) -> int:
    (found,) = [pid for pid, said in working_in(data).items() if "--storage-engine=memory" in said]
    return found


def test_an_erased_person_is_nowhere_in_clear(running: Up, tmp_path: Path) -> None:
    extra = CADRE | {"人员编号": "R9", "姓名": "柏问渠", "公民身份号码": None, "手机": None}
    book = write(tmp_path / "one.xlsx", None, 单位=[UNIT], 干部=[extra], 履历=[], 派驻=[])
    running.done("import", str(book))
    running.done("erase", "R9", "--yes")
    token = running.done("token", "--role", "office").strip()
    headers = {"Authorization": f"Bearer {token}"}
    found = httpx.get(f"{running.url}/api/registry/persons/R9", headers=headers, trust_env=False)
    assert found.json()["state"] == "erased" and found.json()["name"] is None
    assert running.xiapai("erase", "R404", "--yes").returncode == 1


def test_a_second_start_on_the_folder_is_refused_in_one_sentence(running: Up) -> None:
    one_line(running.xiapai("up"), "使用")


def test_a_port_that_is_taken_is_said_in_one_sentence(running: Up, tmp_path: Path) -> None:
    with temporary_folder("port") as folder:
        port = running.url.rpartition(":")[2]
        one_line(xiapai("up", "--data", str(folder / "data"), "--port", port, environment={}), port)


def test_a_folder_where_nothing_runs_is_said_in_one_sentence(tmp_path: Path) -> None:
    for command in (["token", "--role", "office"], ["import", str(workbook(tmp_path))]):
        one_line(xiapai(*command, environment={"XIAPAI_DATA": str(tmp_path / "nowhere")}), "./xiapai up")
    (tmp_path / "file").write_text("")
    one_line(xiapai("up", "--data", str(tmp_path / "file"), environment={}), "file")


def test_the_folder_tells_its_secrets_to_its_owner_alone(running: Up, data: Path) -> None:
    assert environment_file(data).stat().st_mode & 0o077 == 0


def test_killed_with_all_its_children_it_starts_again_with_its_data_and_leaves_nothing(running: Up, data: Path) -> None:
    before = position(running)
    assert before > 0
    running.process.kill()
    running.process.wait()
    until(lambda: not [pid for pid, said in working_in(data).items() if "command run" in said], "services are gone")
    again = Up(data, "--no-demo")
    again.until_says("就绪")
    assert position(again) == before
    again.done("verify-chain")
    for pid in [*working_in(data)]:
        with suppress(ProcessLookupError):  # one that died with its parent
            os.kill(pid, signal.SIGKILL)
    until(lambda: not working_in(data), "all are dead")
    once_more = Up(data, "--no-demo")
    once_more.until_says("就绪")
    assert position(once_more) == before
    assert once_more.end() == 0
    assert "Traceback" not in once_more.said
    assert working_in(data) == {}, "Ctrl-C leaves nothing behind"
    assert not running_file(data).exists()
    one_line(xiapai("up", "--data", str(data), "--demo", environment={}), "--no-demo")
    assert working_in(data) == {}


def one_line(done: subprocess.CompletedProcess[str], word: str) -> None:
    """The command failed and said why, in one line with that word."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.strip().count("\n") == 0 and word in done.stderr, done.stderr


def position(running: Up) -> int:
    """How many events the registry's ledger holds."""
    address = json.loads(environment_file(running.data).read_text())["XIAPAI_POSTGRES"]

    async def ask() -> int:
        connection = await asyncpg.connect(f"{address}/registry")
        try:
            return int(await connection.fetchval("SELECT max(position) FROM ledger") or 0)
        finally:
            await connection.close()

    return run_apart(ask())


def results(book: Path, sheet: str) -> list[tuple[str, str | None]]:
    """导入结果 and 原因 of each row."""
    rows = list(openpyxl.load_workbook(book)[sheet].iter_rows(values_only=True))
    heads = list(rows[0])
    result, reason = heads.index("导入结果"), heads.index("原因")
    return [(str(row[result]), None if row[reason] is None else str(row[reason])) for row in rows[1:]]
