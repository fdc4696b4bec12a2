"""The workbook that comes back, and the empty one that is handed out."""

import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from openpyxl.styles import Font

from services.registry.workbook import SHEETS, open_workbook
from services.registry.workbook.backcopy import Result, write_back
from services.registry.workbook.columns import REASON, RESULT, Outcome
from services.registry.workbook.sentences import fault, reason
from services.registry.workbook.template import write_template
from tests.services.registry.workbook_file import POSTING, headers, rows_of, write

WHY = reason([fault("ends-before-it-starts", "结束日期")])


def refused_second(sheet: str) -> Iterator[Result]:
    yield Result(2, Outcome.IMPORTED)
    if sheet == "派驻":
        yield Result(4, Outcome.REFUSED, WHY)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "下派台账.xlsx"
    heads = ["备注", *headers("派驻")]
    write(path, {"派驻": heads}, 派驻=[{**POSTING, "备注": "=1+1"}, {}, {**POSTING, "派驻编号": 7, "备注": 1.5}])
    book = openpyxl.load_workbook(path)
    page = book["派驻"]
    page["A2"].font = Font(bold=True)
    page["J2"].number_format = 'yyyy"年"m"月"d"日"'
    page["Z3"].font = Font(italic=True)
    page.column_dimensions["B"].width = 33
    book.create_sheet("说明")["A1"] = "不导入"
    book.save(path)
    return path


def test_the_back_copy_has_two_columns_more_and_all_else_as_it_was(original: Path, tmp_path: Path) -> None:
    out = tmp_path / "back.xlsx"
    write_back(original, out, refused_second)
    was, now = openpyxl.load_workbook(original), openpyxl.load_workbook(out)
    assert now.sheetnames == was.sheetnames
    for name in was.sheetnames:
        for line in was[name].iter_rows():
            for cell in (cell for cell in line if cell.value is not None or cell.has_style):
                other = now[name][cell.coordinate]
                assert (other.value, other.number_format) == (cell.value, cell.number_format)
                assert (other.font.b, other.font.i) == (cell.font.b, cell.font.i)
    page = now["派驻"]
    assert now["派驻"].column_dimensions["B"].width == 33
    assert page["A2"].value == "=1+1" and page["J2"].value == datetime(2026, 1, 12)
    assert [[page.cell(row, column).value for column in (19, 20)] for row in (1, 2, 3, 4)] == [
        [RESULT, REASON],
        ["已导入", None],
        [None, None],
        ["未通过", WHY],
    ]
    assert WHY == "[ends-before-it-starts] 结束日期：结束日期早于开始日期"


def test_programs_that_trust_the_recorded_extent_see_the_new_columns(original: Path, tmp_path: Path) -> None:
    out = tmp_path / "back.xlsx"
    write_back(original, out, refused_second)
    book = openpyxl.load_workbook(out, read_only=True)
    assert [line[-2:] for line in book["单位"].iter_rows(values_only=True)] == [(RESULT, REASON), ("已导入", None)]


def test_a_back_copy_can_be_imported_again_and_its_results_are_replaced(original: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.xlsx", tmp_path / "twice.xlsx"
    write_back(original, once, refused_second)
    with open_workbook(once) as workbook:
        assert [summary.further for summary in workbook.summaries()][-1] == ("备注", RESULT, REASON)
    assert [row.number for row in rows_of(once, "派驻")] == [row.number for row in rows_of(original, "派驻")]
    write_back(once, twice, lambda sheet: [Result(2, Outcome.UNCHANGED), Result(4, Outcome.UPDATED)])
    page = openpyxl.load_workbook(twice)["派驻"]
    assert [[page.cell(row, column).value for column in (19, 20, 21)] for row in (1, 2, 4)] == [
        [RESULT, REASON, None],
        ["已存在", None, None],
        ["已更新", None, None],
    ]


def test_a_reason_can_hold_any_sign(original: Path, tmp_path: Path) -> None:
    out = tmp_path / "back.xlsx"
    write_back(original, out, lambda sheet: [Result(2, Outcome.REFUSED, "=1+1 <&>\x00\x0b \ud800 ]]>")])
    cell = openpyxl.load_workbook(out)["单位"]["I2"]
    assert (cell.value, cell.data_type) == ("=1+1 <&>  ]]>", "s")


def test_prefixed_names_implied_places_and_row_hints_are_met(original: Path, tmp_path: Path) -> None:
    changed, out = tmp_path / "changed.xlsx", tmp_path / "back.xlsx"
    name = "xl/worksheets/sheet1.xml"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cells = "".join(f'<x:c t="inlineStr"><x:is><x:t>{head}</x:t></x:is></x:c>' for head in headers("单位"))
    sheet = (
        f'<x:worksheet xmlns:x="{main}"><x:dimension ref="A1:G2"/><x:sheetData><x:row spans="1:7">{cells}</x:row>'
        '<x:row spans="1:7"><x:c t="inlineStr"><x:is><x:t>U</x:t></x:is></x:c><x:c r="H2" s="0"/><x:c r="J2"/></x:row>'
        "<x:row/></x:sheetData></x:worksheet>"
    )
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(changed, "w") as target:
        for part in source.namelist():
            target.writestr(part, sheet if part == name else source.read(part))
    write_back(changed, out, lambda sheet: [Result(2, Outcome.IMPORTED, "x"), Result(3, Outcome.IMPORTED)])
    with zipfile.ZipFile(out) as package:
        text = package.read(name).decode()
    assert "dimension" not in text and "spans" not in text
    line = text[text.index("<x:t>U</x:t>") :]
    assert line == (
        '<x:t>U</x:t></x:is></x:c><x:c r="H2" t="inlineStr"><x:is><x:t>已导入</x:t></x:is></x:c>'
        '<x:c r="I2" t="inlineStr"><x:is><x:t>x</x:t></x:is></x:c><x:c r="J2"/></x:row>'
        "<x:row/></x:sheetData></x:worksheet>"
    )


def test_six_thousand_rows_go_both_ways_within_little_memory(tmp_path: Path) -> None:
    path, out = tmp_path / "many.xlsx", tmp_path / "back.xlsx"
    write(path, 派驻=[{**POSTING, "派驻编号": f"P{number}"} for number in range(6_000)])
    tracemalloc.start()
    try:
        with open_workbook(path) as workbook:
            taken = sum(row.record is not None for row in workbook.rows())
        write_back(path, out, lambda sheet: (Result(number, Outcome.IMPORTED) for number in range(2, 6_002)))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken == 6_003
    assert most < 12 << 20
    with open_workbook(out) as workbook:
        assert sum(row.record is not None for row in workbook.rows()) == 6_003


def test_the_empty_workbook_is_one_that_can_be_imported(tmp_path: Path) -> None:
    path = tmp_path / "template.xlsx"
    write_template(path)
    with open_workbook(path) as workbook:
        assert list(workbook.rows()) == []
        assert [summary.further for summary in workbook.summaries()] == [(), (), (), ()]
    book = openpyxl.load_workbook(path)
    for sheet in SHEETS:
        page = book[sheet.name]
        assert [cell.value for cell in page[1]] == [column.header for column in sheet.columns]
    lists = {str(one.sqref): one.formula1 for one in book["派驻"].data_validations.dataValidation}
    assert lists["C2:C20000"] == '"市派,区派"'
    assert len(lists) == 5


def test_what_is_filled_into_the_empty_workbook_is_read(tmp_path: Path) -> None:
    path = tmp_path / "filled.xlsx"
    write_template(path)
    book = openpyxl.load_workbook(path)
    for place, head in enumerate(headers("派驻"), 1):
        book["派驻"].cell(2, place, POSTING.get(head))
    book["派驻"].cell(2, headers("派驻").index("到岗日期") + 1, date(2026, 1, 12))
    book.save(path)
    (row,) = rows_of(path, "派驻")
    assert row.faults == () and row.key == "P1"
