import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import openpyxl
import pytest
from sqlalchemy import text

from deploy.demo import build, write_workbook
from services.registry.imports import retention
from services.registry.imports.runner import ImportRunner
from tests.services.registry.clerks import Clerk, District, code
from tests.services.registry.workbook_file import CADRE, POSTING, UNIT, Cells, write

TOWN = {**UNIT, "单位代码": "T1", "单位名称": "东镇", "类别": "镇", "上级单位代码": "D1", "统一社会信用代码": None}
VILLAGE = {**TOWN, "单位代码": "V1", "单位名称": "上村", "类别": "行政村", "上级单位代码": "T1"}
VILLAGE2 = {**VILLAGE, "单位代码": "V2", "单位名称": "下村"}
CLINIC = {**VILLAGE, "单位代码": "C1", "单位名称": "上村医务室", "类别": "村医务室"}
CLINIC2 = {**CLINIC, "单位代码": "C2", "单位名称": "下村医务室"}
BUREAU = {**UNIT, "单位代码": "D1", "单位名称": "示范区教育局", "类别": "区直部门"}
# Children stand above their parents on purpose.
UNITS = [CLINIC2, CLINIC, VILLAGE2, VILLAGE, TOWN, BUREAU]
GUIDE = {**CADRE, "派出单位代码": "D1"}
DOCTOR = {**GUIDE, "人员编号": "R2", "姓名": "仇一", "公民身份号码": None}
EARLIER = {
    "人员编号": "R1",
    "单位代码": "T1",
    "职务": "副镇长",
    "党政主要领导": "否",
    "开始日期": "2012-01-01",
    "结束日期": "2013-12-31",
}
AT_V1 = {**POSTING, "派出单位代码": "D1", "接收单位代码": "V1", "派出责任人": "李强", "接收责任人": "王芳"}
AT_C1 = {**AT_V1, "派驻编号": "P2", "人员编号": "R2", "类别": "支医医生", "接收单位代码": "C1"}
AT_C2 = {**AT_C1, "派驻编号": "P3", "接收单位代码": "C2"}


def workbook(path: Path, **sheets: Sequence[Cells]) -> Path:
    """A small district, with some sheets' rows replaced."""
    whole: dict[str, Sequence[Cells]] = {
        "单位": UNITS,
        "干部": [GUIDE, DOCTOR],
        "履历": [EARLIER],
        "派驻": [AT_V1, AT_C1, AT_C2],
    }
    return write(path / f"{uuid4()}.xlsx", None, **whole | sheets)


class Importer:
    """The office, which uploads; and the runner, which works when told to."""

    def __init__(self, district: District) -> None:
        registry = district.app.state.registry
        self.office: Clerk = district.office()
        self.engine = registry.engine
        self.runner = ImportRunner(registry.engine, registry.desk, registry.context, 30)

    async def submit(self, path: Path, *, key: str | None = None, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.office.token}", "Idempotency-Key": key or str(uuid4())}
        query = {"name": "台账.xlsx"} | query
        return await self.office.http.post(
            "/api/registry/imports", content=path.read_bytes(), params=query, headers=headers
        )

    async def take(self, path: Path, **query: Any) -> dict[str, Any]:
        """Upload, work, and say what became of it."""
        answer = await self.submit(path, **query)
        assert answer.status_code == 202, answer.text
        assert await self.runner.one()
        job: dict[str, Any] = (await self.office.get(f"/imports/{answer.json()['id']}")).json()
        assert job["state"] == "done", job
        return job

    async def reasons(self, job: dict[str, Any], sheet: str) -> dict[str, tuple[str, str]]:
        """Key -> outcome and code of the reason, from the back-copy as a user would read it."""
        answer = await self.office.get(f"/imports/{job['id']}/back-copy")
        assert answer.status_code == 200
        path = Path(os.environ.get("TMPDIR", "/tmp")) / f"{uuid4()}.xlsx"
        path.write_bytes(answer.content)
        try:
            rows = list(openpyxl.load_workbook(path)[sheet].iter_rows(values_only=True))
        finally:
            path.unlink()
        head = list(rows[0])
        outcome, reason = head.index("导入结果"), head.index("原因")
        return {str(row[0]): (str(row[outcome]), str(row[reason] or "").split(" ")[0]) for row in rows[1:]}

    async def head(self) -> int:
        async with self.engine.connect() as connection:
            return int(await connection.scalar(text("SELECT coalesce(max(position), 0) FROM ledger")) or 0)

    async def since(self, position: int) -> list[tuple[str, dict[str, Any]]]:
        """Name and data of the events after a position."""
        async with self.engine.connect() as connection:
            found = await connection.execute(
                text(
                    "SELECT name, convert_from(data, 'UTF8')::jsonb FROM ledger WHERE position > :p ORDER BY position"
                ),
                {"p": position},
            )
            return [(name, data) for name, data in found]


@pytest.fixture
def importer(district: District) -> Importer:
    return Importer(district)


async def test_each_row_becomes_the_commands_that_would_have_made_it_so(importer: Importer, tmp_path: Path) -> None:
    ended = {**AT_V1, "实际结束日期": date(2027, 1, 31), "结束原因": "召回"}
    job = await importer.take(workbook(tmp_path, 派驻=[ended, AT_C1, {**AT_C2, "到岗日期": None}]))
    assert job["counts"] == {
        "单位": {"已导入": 6},
        "干部": {"已导入": 2},
        "履历": {"已导入": 1},
        "派驻": {"已导入": 3},
    }
    names = [name for name, data in await importer.since(0) if data.get("posting") == "P1"]
    assert names == ["posting.proposed", "posting.approved", "posting.arrived", "posting.recalled"]
    states = {p: (await importer.office.get(f"/postings/{p}")).json()["state"] for p in ("P1", "P2", "P3")}
    assert states == {"P1": "ended", "P2": "serving", "P3": "approved"}
    assert job["positions"] == {"registry": await importer.head()}


async def test_the_demo_district_twice_changes_nothing(importer: Importer, tmp_path: Path) -> None:
    path = tmp_path / "demo.xlsx"
    write_workbook(path, build(1, 1))
    first = await importer.take(path)
    assert {outcome for sheet in first["counts"].values() for outcome in sheet} == {"已导入"}
    before = await importer.head()
    again = await importer.take(path)
    assert await importer.head() == before
    assert {s: n["已存在"] for s, n in again["counts"].items()} == {s: n["已导入"] for s, n in first["counts"].items()}


async def test_a_dry_run_decides_the_same_and_records_nothing(importer: Importer, tmp_path: Path) -> None:
    path = workbook(tmp_path, 派驻=[AT_V1, {**AT_V1, "派驻编号": "P9", "接收单位代码": "V2"}, AT_C1, AT_C2])
    rehearsed = await importer.take(path, dry_run=True)
    assert await importer.head() == 0
    real = await importer.take(path)
    assert rehearsed["counts"] == real["counts"]
    assert await importer.reasons(rehearsed, "派驻") == await importer.reasons(real, "派驻")
    again = await importer.take(path, dry_run=True)
    assert again["counts"]["派驻"] == {"已存在": 3, "未通过": 1}


async def test_a_corrected_cell_changes_just_itself(importer: Importer, tmp_path: Path) -> None:
    await importer.take(workbook(tmp_path))
    before = await importer.head()
    job = await importer.take(workbook(tmp_path, 派驻=[{**AT_V1, "接收单位代码": "V2"}, AT_C1, AT_C2]))
    assert job["counts"]["派驻"] == {"已更新": 1, "已存在": 2}
    ((name, data),) = await importer.since(before)
    assert (name, data["fields"], data["source"], data["host"]) == ("posting.corrected", ["host"], "台账.xlsx", "V2")
    assert data["arrived_on"] == "2026-01-13"


@pytest.mark.parametrize(
    ("sheet", "rows", "expected"),
    [
        ("单位", [*UNITS[:-1], {**BUREAU, "贫困村": "是"}], ("unit.corrected", ["poor_village"])),
        ("干部", [{**GUIDE, "手机": "10000000009"}, DOCTOR], ("person.corrected", ["phone"])),
        ("干部", [{**GUIDE, "职务": "科员"}, DOCTOR], ("cadre.corrected", ["duty"])),
        ("履历", [{**EARLIER, "党政主要领导": "是"}], ("cadre.earlier-post-corrected", ["principal_leader"])),
        ("派驻", [{**AT_V1, "到岗日期": None}, AT_C1, AT_C2], ("posting.corrected", ["arrived_on"])),
    ],
)
async def test_every_sheet_is_corrected_field_by_field(
    importer: Importer, tmp_path: Path, sheet: str, rows: list[Cells], expected: tuple[str, list[str]]
) -> None:
    await importer.take(workbook(tmp_path))
    before = await importer.head()
    await importer.take(workbook(tmp_path, **{sheet: rows}))
    ((name, data),) = await importer.since(before)
    assert (name, data["fields"]) == expected


async def test_an_arrival_and_an_end_that_were_open_are_facts_and_no_corrections(
    importer: Importer, tmp_path: Path
) -> None:
    await importer.take(workbook(tmp_path, 派驻=[{**AT_V1, "到岗日期": None}]))
    before = await importer.head()
    await importer.take(workbook(tmp_path, 派驻=[AT_V1]))
    await importer.take(workbook(tmp_path, 派驻=[{**AT_V1, "实际结束日期": "2028.1.11"}]))
    assert [name for name, _ in await importer.since(before)] == ["posting.arrived", "posting.term-completed"]


async def test_the_same_workbook_does_not_undo_what_commands_recorded_since(importer: Importer, tmp_path: Path) -> None:
    path, office = workbook(tmp_path), importer.office
    await importer.take(path)
    await office.done("/units/V2/rename", {"name": "新下村", "on": "2026-05-01"})
    await office.done("/units/C2/merge", {"into": "C1", "on": "2026-06-01"})
    await office.done("/postings/P1/change-host", {"host": "V2", "on": "2026-06-01"})
    await office.done("/postings/P2/end-early", {"on": "2026-06-30"})
    before = await importer.head()
    job = await importer.take(path)
    assert {outcome for sheet in job["counts"].values() for outcome in sheet} == {"已存在"}
    await importer.take(workbook(tmp_path, 派驻=[{**AT_V1, "挂任职务": "第一书记"}, AT_C1, AT_C2]))
    ((_, data),) = await importer.since(before)
    assert (data["fields"], data["host"]) == (["duty"], "V2")


async def test_refused_rows_come_back_with_their_reasons(importer: Importer, tmp_path: Path) -> None:
    bad_unit = {**VILLAGE, "单位代码": "V9", "上级单位代码": "NOWHERE"}
    circle = [{**TOWN, "单位代码": a, "上级单位代码": b} for a, b in (("X1", "X2"), ("X2", "X1"))]
    police = {**AT_V1, "派驻编号": "P4", "类别": "社区民警", "接收单位代码": "C1"}
    away = {**AT_V1, "派驻编号": "P5", "接收单位代码": "V9"}
    overlap = {**AT_V1, "派驻编号": "P6", "接收单位代码": "V2", "开始日期": date(2026, 2, 1), "到岗日期": None}
    stranger = {**AT_V1, "派驻编号": "P7", "人员编号": "R404"}
    twice = [{**AT_C1, "派驻编号": "P8", "挂任职务": duty} for duty in ("甲", "乙")]
    job = await importer.take(
        workbook(
            tmp_path, 单位=[*UNITS, bad_unit, *circle], 派驻=[overlap, AT_V1, police, away, stranger, *twice, AT_C2]
        )
    )
    units, postings = await importer.reasons(job, "单位"), await importer.reasons(job, "派驻")
    assert units["V9"] == ("未通过", "parent-unknown")
    assert units["X1"] == units["X2"] == ("未通过", "units-in-a-circle")
    assert postings == {
        "P1": ("已导入", ""),
        "P3": ("已导入", ""),
        "P4": ("未通过", "host-kind-not-allowed"),
        "P5": ("未通过", "depends-on-refused"),
        "P6": ("未通过", "serving-taken"),
        "P7": ("未通过", "person-unknown"),
        "P8": ("未通过", "row-twice"),
    }
    assert job["counts"]["派驻"] == {"已导入": 2, "未通过": 6}


async def test_a_row_is_taken_whole_or_not_at_all(importer: Importer, tmp_path: Path) -> None:
    await importer.take(workbook(tmp_path, 派驻=[{**AT_V1, "接收单位代码": "C1", "接收责任人": "没有人"}]))
    names = [name for name, _ in await importer.since(0)]
    assert "posting.proposed" not in names
    assert names.count("person.registered") == 2, "of a refused posting not even the contact is registered"


async def test_a_workbook_may_move_one_posting_out_of_the_way_of_another(importer: Importer, tmp_path: Path) -> None:
    await importer.take(workbook(tmp_path, 派驻=[AT_V1]))
    moved = {**AT_V1, "开始日期": "2028-02-01", "结束日期": "2029-01-31", "到岗日期": "2028-02-02"}
    new = {**AT_V1, "派驻编号": "P0", "接收单位代码": "V2"}
    job = await importer.take(workbook(tmp_path, 派驻=[new, moved]))
    assert job["counts"]["派驻"] == {"已导入": 1, "已更新": 1}


async def test_of_two_that_overlap_the_later_by_start_and_then_by_code_is_refused(
    importer: Importer, tmp_path: Path
) -> None:
    first = {**AT_V1, "派驻编号": "Z", "开始日期": date(2026, 1, 1)}
    same_day = {**AT_V1, "派驻编号": "B", "接收单位代码": "V2", "开始日期": date(2026, 1, 1)}
    later = {**AT_V1, "派驻编号": "A", "接收单位代码": "V2"}
    job = await importer.take(workbook(tmp_path, 派驻=[later, first, same_day]))
    taken = {key for key, (outcome, _) in (await importer.reasons(job, "派驻")).items() if outcome == "已导入"}
    assert taken == {"B"}


async def test_an_erased_person_does_not_come_back_by_an_import(importer: Importer, tmp_path: Path) -> None:
    path = workbook(tmp_path)
    await importer.take(path)
    await importer.office.done("/persons/R1/erase", {"ground": "本人申请"})
    before = await importer.head()
    job = await importer.take(path)
    assert (await importer.reasons(job, "干部"))["R1"] == ("未通过", "person-erased")
    assert (await importer.reasons(job, "派驻"))["P1"] == ("未通过", "depends-on-refused")
    assert await importer.head() == before


async def test_the_same_request_gives_the_same_job(importer: Importer, tmp_path: Path) -> None:
    path = workbook(tmp_path)
    first, again = await importer.submit(path, key="k1"), await importer.submit(path, key="k1")
    assert first.json()["id"] == again.json()["id"]
    other = await importer.submit(workbook(tmp_path, 派驻=[]), key="k1")
    assert (other.status_code, code(other)) == (422, "idempotency-key-reused")


async def test_a_workbook_without_a_sheet_is_refused_at_once(importer: Importer, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.save(tmp_path / "empty.xlsx")
    answer = await importer.submit(tmp_path / "empty.xlsx")
    assert (answer.status_code, code(answer)) == (422, "sheet-missing")
    assert "派驻" in answer.json()["detail"]
    (tmp_path / "text.xlsx").write_text("no workbook")
    assert code(await importer.submit(tmp_path / "text.xlsx")) == "workbook-not-xlsx"


async def test_a_form_upload_and_the_template_go_together(importer: Importer, tmp_path: Path) -> None:
    template = await importer.office.get("/imports/template")
    answer = await importer.office.http.post(
        "/api/registry/imports",
        files={"file": ("空表.xlsx", template.content)},
        headers={"Authorization": f"Bearer {importer.office.token}", "Idempotency-Key": "k1"},
    )
    assert (answer.status_code, answer.json()["name"]) == (202, "空表.xlsx")
    early = await importer.office.get(f"/imports/{answer.json()['id']}/back-copy")
    assert (early.status_code, code(early)) == (409, "import-unfinished")
    assert await importer.runner.one()
    assert (await importer.office.get("/imports")).json()["items"][0]["state"] == "done"


async def test_only_the_office_imports(district: District, tmp_path: Path) -> None:
    clerk = district.clerk("D1")
    assert code(await clerk.post("/imports")) == "role-not-allowed"
    assert code(await clerk.get("/imports")) == "role-not-allowed"


async def test_what_was_uploaded_is_let_go_after_its_retention(importer: Importer, tmp_path: Path) -> None:
    job = await importer.take(workbook(tmp_path))
    async with importer.engine.begin() as connection:
        await connection.execute(text("UPDATE import_uploads SET received_at = now() - interval '31 days'"))
    await importer.take(workbook(tmp_path))
    gone = await importer.office.get(f"/imports/{job['id']}/back-copy")
    assert (gone.status_code, code(gone)) == (410, "import-upload-gone")


async def test_retention_tells_what_is_due_and_ends_what_nobody_worked_on(
    importer: Importer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await importer.take(workbook(tmp_path))
    waiting = (await importer.submit(workbook(tmp_path))).json()["id"]
    async with importer.engine.begin() as connection:
        kept = await retention.look(connection, 30)
        assert (kept.files, kept.due) == (2, 0)
        await connection.execute(text("UPDATE import_uploads SET received_at = now() - interval '31 days'"))
        assert (await retention.look(connection, 30)).due == 2, "in real time, whatever the ledger's clock"
        assert await retention.sweep(connection, 30) == 2
        assert (await retention.look(connection, 30)).files == 0
    assert (await importer.office.get(f"/imports/{waiting}")).json()["refusal"]["code"] == "import-upload-gone"
    assert not await importer.runner.one()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, age in (("xiapai-import-a", 2), ("xiapai-upload-b", 2), ("xiapai-import-c", 0), ("other-d", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "upload.xlsx").write_bytes(b"names")
        os.utime(tmp_path / name, times=(time.time() - age * 86_500,) * 2)
    assert retention.sweep_scratch() == 2
    assert {one.name for one in tmp_path.iterdir() if one.is_dir()} >= {"xiapai-import-c", "other-d"}
    assert not (tmp_path / "xiapai-import-a").exists()


async def test_nothing_personal_stays_behind_but_the_upload(importer: Importer, tmp_path: Path) -> None:
    await importer.take(workbook(tmp_path))
    async with importer.engine.begin() as connection:
        await connection.execute(text("DELETE FROM import_uploads"))
        tables = await connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        held = ""
        for table in tables.all():
            for row in await connection.execute(text(f'SELECT * FROM "{table}"')):
                held += "".join(bytes(v).decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in row)
    for secret in ("单砚生", "仇一", "李强", "王芳", "990117197803150015", "10000000001", "1978-03-15"):
        assert secret not in held


async def test_a_killed_import_goes_on_where_it_stood(
    importer: Importer, district: District, database: str, tmp_path: Path
) -> None:
    path = tmp_path / "demo.xlsx"
    write_workbook(path, build(1, 1))
    job = (await importer.submit(path)).json()["id"]
    assert district.settings.data is not None
    killed_at = []
    for enough in (500, 3500, 5000):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.services.registry.import_worker", database, str(district.settings.data)
        )
        while True:
            now = (await importer.office.get(f"/imports/{job}")).json()
            if now["state"] == "done" or (now["state"] == "recording" and now["rows_done"] >= enough):
                break
            assert process.returncode is None, "the worker failed"
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        killed_at.append(now["state"])
    async with asyncio.timeout(120):
        # The server lets go of a killed session's hold when it hears of it, not at once.
        while (await importer.office.get(f"/imports/{job}")).json()["state"] != "done":
            if not await importer.runner.one():
                await asyncio.sleep(0.1)
    assert killed_at[0] == "recording"
    done = (await importer.office.get(f"/imports/{job}")).json()
    assert done["state"] == "done"
    assert {outcome for sheet in done["counts"].values() for outcome in sheet} == {"已导入"}
    assert sum(sheet["已导入"] for sheet in done["counts"].values()) == done["rows_total"] == done["rows_done"]
    proposed = [data["posting"] for name, data in await importer.since(0) if name == "posting.proposed"]
    assert len(proposed) == len(set(proposed)) == done["counts"]["派驻"]["已导入"]
