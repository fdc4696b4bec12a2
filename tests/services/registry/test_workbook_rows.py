"""What the rows of the district's workbook may say, and by what name they are refused."""

import dataclasses
from datetime import date, datetime
from pathlib import Path

import pytest
from xiapai_contracts.terms import CATEGORIES, ZH, Category, ExchangeDirection, Mode, Rank, Sex, Tier, UnitKind

from services.registry.workbook import SHEETS, CadreRow, EarlierPostRow, PostingRow, UnitRow, open_workbook
from services.registry.workbook.sentences import FAULTS, fault, reason
from tests.services.registry.workbook_file import (
    CADRE,
    EARLIER,
    POSTING,
    UNIT,
    Cells,
    faults_of,
    headers,
    rows_of,
    write,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "下派台账.xlsx"


def test_a_workbook_that_holds_becomes_typed_rows(path: Path) -> None:
    write(path)
    assert [row.record for sheet in SHEETS for row in rows_of(path, sheet.name)] == [
        UnitRow("0012", "白鹭街道", UnitKind.SUBDISTRICT, credit_code="119901179A00000103"),
        CadreRow(
            "R1",
            "单砚生",
            date(1978, 3, 15),
            Rank.DEPUTY_SECTION_HEAD,
            "0012",
            "990117197803150015",
            Sex.MALE,
            "10000000001",
        ),
        EarlierPostRow("R1", "镇长", True, date(2010, 7, 1), date(2014, 6, 30), unit="0012"),
        PostingRow(
            "P1",
            "R1",
            Tier.DISTRICT,
            Category.RURAL_GUIDE,
            "0012",
            "0012",
            date(2026, 1, 12),
            date(2028, 1, 11),
            "广文〔2026〕3号",
            Mode.SECONDMENT,
            arrived=date(2026, 1, 13),
        ),
    ]


def test_columns_stand_in_any_order_and_further_ones_are_ignored_but_named(path: Path) -> None:
    heads = ["备注", *reversed(headers("派驻")), "电话"]
    write(path, {"派驻": heads}, 派驻=[{**POSTING, "备注": "=1+1", "电话": 1.5}])
    with open_workbook(path) as workbook:
        assert [summary.further for summary in workbook.summaries()] == [(), (), (), ("备注", "电话")]
        (row,) = (row for row in workbook.rows() if row.sheet == "派驻")
    assert isinstance(row.record, PostingRow) and row.record.host == "0012"


def test_every_word_of_the_columns_is_read(path: Path) -> None:
    for sheet in SHEETS:
        fields = {field.name for field in dataclasses.fields(sheet.record)}
        assert {column.field for column in sheet.columns} == fields
    rows = [{**UNIT, "单位代码": kind.value, "类别": ZH[kind]} for kind in UnitKind]
    write(path, 单位=rows)
    read = [row.record for row in rows_of(path, "单位")]
    assert [one.kind for one in read if isinstance(one, UnitRow)] == list(UnitKind)


@pytest.mark.parametrize("written", ["双向交流", "街镇场处与区直部门双向交流", " 双向 交流\u3000"])
def test_the_two_way_exchange_has_two_names_and_always_a_direction(path: Path, written: str) -> None:
    cells: Cells = {**POSTING, "类别": written, "交流方向": "机关到基层"}
    (row,) = rows_of(write(path, 派驻=[cells]), "派驻")
    assert isinstance(row.record, PostingRow)
    assert row.record.category is Category.TWO_WAY_EXCHANGE
    assert row.record.direction is ExchangeDirection.TO_GRASSROOTS
    assert faults_of(path, "派驻", {"类别": written}) == [("direction-missing", "交流方向")]
    assert faults_of(path, "派驻", {"交流方向": "基层到机关"}) == [("direction-not-allowed", "交流方向")]


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01",
        "2026/3/1",
        "2026.3.1",
        "2026年3月1日",
        "２０２６年３月０１日",
        " 2026 - 03 - 01\u3000",
        date(2026, 3, 1),
        datetime(2026, 3, 1, 8, 30),
    ],
)
def test_days_are_read_as_excel_dates_and_in_four_spellings(path: Path, written: object) -> None:
    (row,) = rows_of(write(path, 派驻=[{**POSTING, "到岗日期": written}]), "派驻")
    assert isinstance(row.record, PostingRow) and row.record.arrived == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("2026-02-30", "date-not-real"),
        ("0001-01-01", "day-out-of-range"),
        ("9999-12-31", "day-out-of-range"),
        (datetime(9999, 12, 31), "day-out-of-range"),
        ("2026-3/1", "date-not-read"),
        ("三月一日", "date-not-read"),
        ("20260301", "date-not-read"),
        (20260301, "date-is-a-number"),
        (46082, "date-is-a-number"),
        ("=TODAY()", "formula-not-value"),
        ("#N/A", "cell-error"),
        (True, "date-not-read"),
    ],
)
def test_what_is_no_day_is_refused_by_name(path: Path, written: object, code: str) -> None:
    assert faults_of(path, "派驻", {"到岗日期": written}) == [(code, "到岗日期")]


@pytest.mark.parametrize(
    ("sheet", "column"),
    [
        ("单位", "单位代码"),
        ("单位", "上级单位代码"),
        ("单位", "统一社会信用代码"),
        ("单位", "行政区划代码"),
        ("干部", "人员编号"),
        ("干部", "公民身份号码"),
        ("派驻", "派驻编号"),
        ("派驻", "接收单位代码"),
    ],
)
@pytest.mark.parametrize("written", [12, 9.90117197803150e17, 1.5])
def test_a_number_where_a_code_belongs_is_refused_by_name(path: Path, sheet: str, column: str, written: float) -> None:
    assert faults_of(path, sheet, {column: written}) == [("code-is-a-number", column)]


@pytest.mark.parametrize(
    ("sheet", "cells", "expected"),
    [
        ("单位", {"单位名称": None}, ("value-missing", "单位名称")),
        ("单位", {"单位名称": "　 "}, ("value-missing", "单位名称")),
        ("单位", {"类别": "村"}, ("word-not-allowed", "类别")),
        ("单位", {"单位代码": "长" * 33}, ("text-too-long", "单位代码")),
        ("单位", {"单位代码": date(2026, 1, 2)}, ("text-is-a-date", "单位代码")),
        ("单位", {"单位名称": "=A1"}, ("formula-not-value", "单位名称")),
        ("单位", {"单位名称": "#REF!"}, ("cell-error", "单位名称")),
        ("单位", {"单位名称": 1.5}, ("text-is-a-number", "单位名称")),
        ("单位", {"贫困村": "有"}, ("not-yes-or-no", "贫困村")),
        ("单位", {"上级单位代码": "0012"}, ("unit-is-its-own-parent", "上级单位代码")),
        ("单位", {"统一社会信用代码": "119901179A00000104"}, ("uscc-check-digit", "统一社会信用代码")),
        ("单位", {"行政区划代码": "99011"}, ("division-shape", "行政区划代码")),
        ("干部", {"公民身份号码": "990117197803150016"}, ("identity-check-digit", "公民身份号码")),
        ("干部", {"出生日期": date(1978, 3, 16)}, ("identity-birth-date-differs", "公民身份号码")),
        ("干部", {"手机": "123"}, ("phone-shape", "手机")),
        ("干部", {"手机": 8262330000}, ("code-is-a-number", "手机")),
        ("履历", {"单位代码": None}, ("unit-or-name-missing", "单位代码")),
        ("履历", {"结束日期": "2010-06-30"}, ("ends-before-it-starts", "结束日期")),
        ("派驻", {"结束日期": date(2026, 1, 11), "到岗日期": None}, ("ends-before-it-starts", "结束日期")),
        ("派驻", {"到岗日期": date(2026, 1, 11)}, ("arrived-outside-the-period", "到岗日期")),
        ("派驻", {"到岗日期": date(2028, 1, 12)}, ("arrived-outside-the-period", "到岗日期")),
        ("派驻", {"到岗日期": "2026-03-02", "实际结束日期": "2026-03-01"}, ("arrived-outside-the-period", "到岗日期")),
        ("派驻", {"实际结束日期": "2026-01-11"}, ("ended-before-it-starts", "实际结束日期")),
        ("派驻", {"结束原因": "期满"}, ("end-reason-without-end", "结束原因")),
        ("派驻", {"依据文号": None}, ("value-missing", "依据文号")),
    ],
)
def test_a_row_is_refused_by_what_is_wrong_with_it(
    path: Path, sheet: str, cells: Cells, expected: tuple[str, str]
) -> None:
    assert faults_of(path, sheet, cells) == [expected]


def test_each_tier_has_its_own_categories(path: Path) -> None:
    for tier in Tier:
        for category in Category:
            cells: Cells = {"层级": ZH[tier], "类别": ZH[category]}
            if category is Category.TWO_WAY_EXCHANGE:
                cells["交流方向"] = "机关到基层"
            expected = [] if category in CATEGORIES[tier] else [("category-not-of-tier", "类别")]
            assert faults_of(path, "派驻", cells) == expected


def test_every_fault_of_a_row_is_told_at_once(path: Path) -> None:
    cells: Cells = {"派驻编号": 7, "类别": "村官", "开始日期": "昨天", "依据文号": None}
    assert faults_of(path, "派驻", cells) == [
        ("code-is-a-number", "派驻编号"),
        ("word-not-allowed", "类别"),
        ("date-not-read", "开始日期"),
        ("value-missing", "依据文号"),
    ]


def test_names_lose_their_padding_and_codes_their_full_width(path: Path) -> None:
    cells: Cells = {**CADRE, "姓名": " 单　砚 生 ", "人员编号": "Ｒ１ ", "手机": 13900000000, "职务": "主任（兼）２级"}
    (row,) = rows_of(write(path, 干部=[cells]), "干部")
    assert isinstance(row.record, CadreRow)
    assert (row.record.name, row.record.code, row.record.phone) == ("单砚生", "R1", "13900000000")
    assert row.record.duty == "主任（兼）2级"


def test_a_refused_row_still_says_its_key_and_blank_rows_are_passed_over(path: Path) -> None:
    rows: list[Cells] = [
        {},
        POSTING,
        {"备注": "无"},
        {**POSTING, "派驻编号": "P2", "类别": "村官"},
        {**POSTING, "派驻编号": 3},
    ]
    read = rows_of(write(path, 派驻=rows), "派驻")
    assert [(row.number, row.key, row.record is None) for row in read] == [
        (3, "P1", False),
        (5, "P2", True),
        (6, None, True),
    ]


def test_an_earlier_post_is_known_by_person_start_unit_and_duty(path: Path) -> None:
    rows: list[Cells] = [EARLIER, {**EARLIER, "单位代码": None, "单位名称": "0012"}, {**EARLIER, "人员编号": None}]
    by_code, by_name, by_nobody = (row.key for row in rows_of(write(path, 履历=rows), "履历"))
    assert by_code is not None and by_name is not None and by_code != by_name
    assert by_nobody is None


def test_equal_content_has_an_equal_digest_whatever_its_spelling(path: Path) -> None:
    rows: list[Cells] = [
        POSTING,
        {**POSTING, "开始日期": "2026年1月12日", "方式": "挂职"},
        {**POSTING, "挂任职务": "副镇长"},
    ]
    first, same, other = rows_of(write(path, 派驻=rows), "派驻")
    assert first.digest == same.digest != other.digest
    (again, *_) = rows_of(path, "派驻")
    assert again.digest != first.digest, "the digest is keyed anew each time a workbook is opened"


def test_no_sentence_repeats_a_cell_and_all_are_in_two_languages(path: Path) -> None:
    cells: Cells = {**CADRE, "公民身份号码": "990117197803150016", "手机": "42", "职级": "单砚生", "出生日期": "单砚生"}
    (row,) = rows_of(write(path, 干部=[cells]), "干部")
    told = reason(row.faults) + "".join(one.en for one in row.faults)
    assert len(row.faults) == 4
    for cell in ("990117197803150016", "42", "单砚生"):
        assert cell not in told
    assert all(zh and en and zh != en for zh, en in FAULTS.values())
    assert reason([fault("value-missing", "姓名")]) == "[value-missing] 姓名：必填项为空"
