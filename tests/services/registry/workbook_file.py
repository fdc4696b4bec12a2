"""A small workbook that holds in every cell, to be spoilt by tests: written by openpyxl, as a user's program would."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl

from services.registry.workbook import SHEETS, Row, open_workbook

Cells = dict[str, Any]

UNIT: Cells = {"单位代码": "0012", "单位名称": "白鹭街道", "类别": "街道", "统一社会信用代码": "119901179A00000103"}
CADRE: Cells = {
    "人员编号": "R1",
    "姓名": "单砚生",
    "公民身份号码": "990117197803150015",
    "性别": "男",
    "出生日期": date(1978, 3, 15),
    "手机": "10000000001",
    "职级": "副科级",
    "派出单位代码": "0012",
}
EARLIER: Cells = {
    "人员编号": "R1",
    "单位代码": "0012",
    "职务": "镇长",
    "党政主要领导": "是",
    "开始日期": "2010-07-01",
    "结束日期": "2014-06-30",
}
POSTING: Cells = {
    "派驻编号": "P1",
    "人员编号": "R1",
    "层级": "区派",
    "类别": "农村工作指导员",
    "派出单位代码": "0012",
    "接收单位代码": "0012",
    "开始日期": date(2026, 1, 12),
    "结束日期": date(2028, 1, 11),
    "到岗日期": date(2026, 1, 13),
    "依据文号": "广文〔2026〕3号",
}
GOOD: dict[str, Sequence[Cells]] = {"单位": [UNIT], "干部": [CADRE], "履历": [EARLIER], "派驻": [POSTING]}


def headers(sheet: str) -> list[str]:
    return [column.header for one in SHEETS if one.name == sheet for column in one.columns]


def write(path: Path, heads: dict[str, list[str]] | None = None, **sheets: Sequence[Cells]) -> Path:
    """Writes the good workbook with some sheets' rows or headers in place of its own."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in {**GOOD, **sheets}.items():
        page = book.create_sheet(name)
        names = (heads or {}).get(name) or headers(name)
        page.append(names)
        for row in rows:
            page.append([row.get(head) for head in names])
    book.save(path)
    return path


def rows_of(path: Path, sheet: str) -> list[Row]:
    with open_workbook(path) as workbook:
        return [row for row in workbook.rows() if row.sheet == sheet]


def faults_of(path: Path, sheet: str, cells: Cells) -> list[tuple[str, str]]:
    """(code, column) of each fault of the good row of that sheet with some cells changed."""
    (row,) = rows_of(write(path, None, **{sheet: [{**GOOD[sheet][0], **cells}]}), sheet)
    assert (row.record is None) is bool(row.faults)
    return [(fault.code, fault.column) for fault in row.faults]
