"""The demo district has the shapes that its description gives: counted here from the cells, by the rules of the workbook."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from deploy.demo import AFTER_IMPORT, build, write_workbook
from services.registry.codes import credit_code, identity_number
from services.registry.workbook import open_workbook

FIRST, LAST = date(2026, 1, 1), date(2026, 6, 30)
TOWNSHIP = {"街道", "镇", "场", "管理处"}
Rows = list[dict[str, Any]]
Book = dict[str, Rows]

ALLOWED = {
    "农村工作指导员": TOWNSHIP | {"行政村"},
    "综治特派员": TOWNSHIP | {"行政村", "社区"},
    "支医医生": {"乡镇医院", "村医务室"},
    "支教教师": {"中小学"},
    "法制副校长": {"中小学"},
    "社区党建联络员": {"社区"},
    "社区民警": {"社区"},
    "联系企业区领导": {"企业", "开发区"},
    "区领导联系企业的联络员": {"企业", "开发区"},
    "双向交流": TOWNSHIP | {"区直部门"},
}
SEVERAL = {"支医医生", "联系企业区领导", "区领导联系企业的联络员"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "下派台账.xlsx"
    write_workbook(out, build())
    return out


@pytest.fixture(scope="module")
def book(path: Path) -> Book:
    """Every sheet as a list of header -> value, days as dates."""
    read = openpyxl.load_workbook(path, read_only=True)
    sheets: Book = {}
    for page in read:
        lines = page.iter_rows(values_only=True)
        heads = [str(head) for head in next(lines)]
        sheets[page.title] = [
            {head: cell.date() if isinstance(cell, datetime) else cell for head, cell in zip(heads, line, strict=False)}
            for line in lines
        ]
    return sheets


def last_day(posting: dict[str, Any]) -> date:
    end: date = min(posting["结束日期"], posting.get("实际结束日期") or posting["结束日期"])
    return end


def effective(postings: Rows, tier: str) -> Rows:
    return [
        one
        for one in postings
        if one["层级"] == tier and one["到岗日期"] and max(one["到岗日期"], FIRST) <= min(last_day(one), LAST)
    ]


def people_by_category(postings: Rows) -> Counter[str]:
    """Each person once, in the category of the posting that was in force last."""
    latest: dict[str, dict[str, Any]] = {}
    for one in sorted(postings, key=lambda one: (one["到岗日期"], one["派驻编号"])):
        latest[one["人员编号"]] = one
    return Counter(one["类别"] for one in latest.values())


def hosts_reached(book: Book, successor: dict[str, tuple[str, date]] | None = None) -> Counter[str]:
    """Each host once; a posting that ran on past a merger counts the successor only."""
    kinds = {unit["单位代码"]: unit["类别"] for unit in book["单位"]}
    reached = set()
    for one in effective(book["派驻"], "区派"):
        host = one["接收单位代码"]
        into, merged = (successor or {}).get(host, (host, date.max))
        reached.add(into if last_day(one) >= merged else host)
    return Counter("街镇场处" if kinds[host] in TOWNSHIP else kinds[host] for host in reached)


def test_the_district_has_the_units_of_its_description(book: Book) -> None:
    kinds = Counter(unit["类别"] for unit in book["单位"])
    assert sum(kinds[kind] for kind in TOWNSHIP) == 16
    expected = {"行政村": 548, "社区": 92, "中小学": 118, "乡镇医院": 16, "村医务室": 520, "企业": 1850, "区直部门": 60}
    assert {kind: kinds[kind] for kind in expected} == expected
    assert sum(unit["贫困村"] == "是" for unit in book["单位"]) == 47
    assert set(kinds) == TOWNSHIP | set(expected) | {"开发区", "市直部门"}


def test_figures_1_to_15_count_each_person_once(book: Book) -> None:
    city = people_by_category(effective(book["派驻"], "市派"))
    assert city == {"农村工作指导员": 28, "综治特派员": 14, "支医医生": 11, "支教教师": 9}
    assert sum(city.values()) == 62
    district = people_by_category(effective(book["派驻"], "区派"))
    assert district == {
        "农村工作指导员": 412,
        "社区党建联络员": 92,
        "社区民警": 138,
        "法制副校长": 118,
        "支医医生": 74,
        "支教教师": 96,
        "联系企业区领导": 32,
        "区领导联系企业的联络员": 64,
        "双向交流": 60,
    }
    assert sum(district.values()) == 1086
    directions = Counter(one["交流方向"] for one in book["派驻"] if one["类别"] == "双向交流")
    assert directions == {"机关到基层": 30, "基层到机关": 30}


def test_figures_16_to_22_count_each_host_once(book: Book) -> None:
    reached = hosts_reached(book)
    expected = {
        "街镇场处": 16,
        "行政村": 396,
        "社区": 88,
        "中小学": 118,
        "乡镇医院": 16,
        "村医务室": 104,
        "企业": 128,
    }
    assert {kind: reached[kind] for kind in expected} == expected


def test_figures_23_and_24_are_the_document_that_most_postings_cite(book: Book) -> None:
    texts = [re.sub(r"\s", "", one["依据文号"]) for one in effective(book["派驻"], "区派")]
    cited = Counter(re.sub(r"[〔\[（(](\d+)[〕\]）)]", r"〔\1〕", text) for text in texts)
    assert cited.most_common(1)[0][0] == "广文〔2026〕3号"
    assert len(set(texts)) > len(cited) > 2


def test_there_are_more_postings_than_people(book: Book) -> None:
    assert len(book["派驻"]) == 1240
    people = {one["人员编号"] for tier in ("市派", "区派") for one in effective(book["派驻"], tier)}
    assert len(people) == 1148


def test_no_posting_breaks_a_rule_of_the_workbook(book: Book) -> None:
    kinds = {unit["单位代码"]: unit["类别"] for unit in book["单位"]}
    cadres = {cadre["人员编号"]: cadre for cadre in book["干部"]}
    by_person = defaultdict(list)
    for one in book["派驻"]:
        assert kinds[one["接收单位代码"]] in ALLOWED[one["类别"]]
        assert cadres[one["人员编号"]]["派出单位代码"] == one["派出单位代码"] and one["派出单位代码"] in kinds
        if one["类别"] == "双向交流":
            assert (one["交流方向"] == "基层到机关") is (kinds[one["接收单位代码"]] == "区直部门")
        by_person[one["人员编号"]].append(one)
    for postings in by_person.values():
        for before, after in pairs(sorted(postings, key=lambda one: one["开始日期"])):
            if not SEVERAL.issuperset({before["类别"], after["类别"]}):
                assert last_day(before) < after["开始日期"]


def pairs(rows: Rows) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    return ((one, other) for place, one in enumerate(rows) for other in rows[place + 1 :])


def test_every_code_checks_and_none_belongs_to_anybody(book: Book) -> None:
    numbers = [identity_number(cadre["公民身份号码"], cadre["出生日期"]) for cadre in book["干部"]]
    assert len(set(numbers)) == len(numbers) and {number[:6] for number in numbers} == {"990117"}
    assert {"990117197803150015", "99011719820607002X"} <= set(numbers)
    codes = [credit_code(unit["统一社会信用代码"]) for unit in book["单位"] if unit["统一社会信用代码"]]
    assert len(set(codes)) == len(codes) and "119901179A00000103" in codes
    assert all(cadre["手机"].startswith("100") for cadre in book["干部"])


def test_the_edge_cases_that_a_sheet_can_hold_are_there(book: Book) -> None:
    same = Counter((cadre["派出单位代码"], cadre["姓名"]) for cadre in book["干部"])
    assert max(same.values()) >= 2
    assert {"单", "仇", "解"} <= {cadre["姓名"][0] for cadre in book["干部"]}
    ages = {
        (cadre["职级"], 2026 - cadre["出生日期"].year)
        for cadre in book["干部"]
        if cadre["出生日期"].strftime("%m%d") == "0630"
    }
    assert {("正处级", 50), ("副处级", 45), ("区级领导", 52)} <= ages
    changed = {
        one["人员编号"]
        for one in book["派驻"]
        for other in book["派驻"]
        if one["人员编号"] == other["人员编号"] and one["类别"] != other["类别"]
    }
    assert changed, "a person whose category changed within the half-year"
    assert {one["结束原因"] for one in book["派驻"]} == {None, "期满", "召回", "提前结束"}
    assert sum(one["到岗日期"] is None for one in book["派驻"]) == 4


def test_the_figures_are_the_same_after_the_edge_cases_by_command(book: Book) -> None:
    registered = [step for step in AFTER_IMPORT if step.command == "RegisterUnit"]
    merges = {
        step.subject: (str(step.fields["into"]), step.fields["on"])
        for step in AFTER_IMPORT
        if step.command == "MergeUnit"
    }
    successor = {code: (into, on) for code, (into, on) in merges.items() if isinstance(on, date)}
    units = [unit for unit in book["单位"] if unit["单位代码"] not in successor]
    units += [{"单位代码": step.subject, "类别": "行政村"} for step in registered]
    assert Counter(unit["类别"] for unit in units)["行政村"] == 548
    after = {**book, "单位": book["单位"] + units[-len(registered) :]}
    assert hosts_reached(after, successor) == hosts_reached(book)
    ended, runs_on = successor
    assert [last_day(one) >= successor[ended][1] for one in book["派驻"] if one["接收单位代码"] == ended] == [False]
    assert [last_day(one) >= successor[runs_on][1] for one in book["派驻"] if one["接收单位代码"] == runs_on] == [True]
    known = {row[key] for sheet, key in (("单位", "单位代码"), ("干部", "人员编号")) for row in book[sheet]}
    assert {step.subject for step in AFTER_IMPORT} - {step.subject for step in registered} <= known


def test_the_reader_takes_every_row_of_it(path: Path, book: Book) -> None:
    with open_workbook(path) as workbook:
        rows = list(workbook.rows())
        assert [summary.further for summary in workbook.summaries()] == [(), (), (), ()]
    assert [row.faults for row in rows if row.faults] == []
    assert Counter(row.sheet for row in rows) == {sheet: len(lines) for sheet, lines in book.items()}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(path: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.xlsx", tmp_path / "other.xlsx"
    write_workbook(again, build())
    write_workbook(other, build(seed=2))
    digest = hashlib.sha256(path.read_bytes()).digest()
    assert hashlib.sha256(again.read_bytes()).digest() == digest
    assert hashlib.sha256(other.read_bytes()).digest() != digest


def test_ten_times_the_district_keeps_its_shapes() -> None:
    district = build(times=10)
    reached = defaultdict(set)
    people = defaultdict(set)
    for one in district.postings:
        if one.arrived and max(one.arrived, FIRST) <= min(one.ends, one.ended or one.ends, LAST):
            people[one.tier].add(one.person)
            if one.tier == "DISTRICT":
                reached[one.host[0]].add(one.host)
    assert {str(tier): len(some) for tier, some in people.items()} == {"CITY": 620, "DISTRICT": 10860}
    assert {group: len(reached[group]) for group in "JCQXYWE"} == {
        "J": 160,
        "C": 3960,
        "Q": 880,
        "X": 1180,
        "Y": 160,
        "W": 1040,
        "E": 1280,
    }
