"""Workbooks that are refused whole: frames that lack something, and files made to harm."""

import os
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pytest

from services.registry.workbook import CadreRow, Limits, WorkbookRefused, open_workbook
from services.registry.workbook.package import MissingHeader, MissingSheet
from services.registry.workbook.sentences import REFUSALS
from tests.services.registry.workbook_file import CADRE, POSTING, headers, rows_of, write

SHEET = "xl/worksheets/sheet4.xml"
"""派驻 in the workbook that openpyxl writes here."""


def refusal(path: Path, limits: Limits | None = None) -> WorkbookRefused:
    with pytest.raises(WorkbookRefused) as caught, open_workbook(path, limits or Limits()) as workbook:
        for _ in workbook.rows():
            pass
    return caught.value


def rewritten(path: Path, out: Path, change: Callable[[str, bytes], bytes | None], **more: bytes) -> Path:
    """A copy with some parts changed (None drops one) and more added; ``__`` in a name stands for ``/``."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = change(name, source.read(name))
            if content is not None:
                target.writestr(name, content)
        for name, content in more.items():
            target.writestr(name.replace("__", "/"), content)
    return out


def same(_: str, content: bytes) -> bytes:
    return content


def with_sheet(content: bytes) -> Callable[[str, bytes], bytes]:
    return lambda name, old: content if name == SHEET else old


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write(tmp_path / "good.xlsx")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return tmp_path / "bad.xlsx"


@pytest.mark.parametrize("sheet", ["单位", "干部", "履历", "派驻"])
def test_a_missing_sheet_is_named(bad: Path, sheet: str) -> None:
    book = openpyxl.load_workbook(write(bad))
    book.remove(book[sheet])
    book.save(bad)
    refused = refusal(bad)
    assert isinstance(refused, MissingSheet)
    assert (refused.code, refused.what) == ("sheet-missing", sheet)
    assert sheet in refused.zh and sheet in refused.en


def test_missing_headers_are_named_with_their_sheet(bad: Path) -> None:
    heads = [head for head in headers("派驻") if head not in ("到岗日期", "依据文号")]
    refused = refusal(write(bad, {"派驻": heads}))
    assert isinstance(refused, MissingHeader)
    assert refused.what == "派驻: 到岗日期、派驻: 依据文号"


def test_of_unit_code_and_unit_name_one_header_suffices_in_earlier_posts(bad: Path) -> None:
    heads = [head for head in headers("履历") if head != "单位名称"]
    assert [row.faults for row in rows_of(write(bad, {"履历": heads}), "履历")] == [()]
    heads.remove("单位代码")
    assert refusal(write(bad, {"履历": heads})).what == "履历: 单位代码、履历: 单位名称"


def test_a_header_that_stands_twice_is_refused_since_either_could_be_meant(bad: Path) -> None:
    assert refusal(write(bad, {"派驻": [*headers("派驻"), " 开始 日期 "]})).code == "header-twice"


def test_headers_may_follow_blank_rows_and_carry_blanks_and_stars(bad: Path) -> None:
    book = openpyxl.load_workbook(write(bad))
    page = book["派驻"]
    for cell in page[1]:
        cell.value = f" {cell.value} *"
    page.insert_rows(1, 2)
    book.save(bad)
    (row,) = rows_of(bad, "派驻")
    assert (row.number, row.key) == (4, "P1")


def test_what_is_no_xlsx_is_refused(bad: Path, good: Path) -> None:
    for content in (
        b"",
        b"PK",
        b"\x00" * 4096,
        "单位,干部\n".encode(),
        good.read_bytes()[:-30],
        random.Random(1).randbytes(99_999),
    ):
        bad.write_bytes(content)
        assert refusal(bad).code == "workbook-not-xlsx"
    with zipfile.ZipFile(bad, "w") as package:
        package.writestr("readme.txt", "zip, but no workbook")
    assert refusal(bad).code == "workbook-not-xlsx"


def test_an_encrypted_workbook_and_an_old_one_are_told_apart(bad: Path, good: Path) -> None:
    ole = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2048)
    bad.write_bytes(ole + "EncryptedPackage".encode("utf-16-le") + bytes(100))
    assert refusal(bad).code == "workbook-encrypted"
    bad.write_bytes(ole + "Workbook".encode("utf-16-le"))
    assert refusal(bad).code == "workbook-old-xls"
    content = bytearray(good.read_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        content[at + 8] |= 1
        at = content.find(b"PK\x01\x02", at + 1)
    bad.write_bytes(content)
    assert refusal(bad).code == "workbook-encrypted"


def test_macros_and_links_to_other_files_are_refused(bad: Path, good: Path) -> None:
    assert (
        refusal(rewritten(good, bad, same, xl__vbaProject=b"", **{"xl__vbaProject.bin": b"x"})).code
        == "workbook-has-macros"
    )

    def macro_type(name: str, content: bytes) -> bytes:
        return content.replace(b"spreadsheetml.sheet.main", b"ms-excel.sheet.macroEnabled.main")

    assert refusal(rewritten(good, bad, macro_type)).code == "workbook-has-macros"
    linked = rewritten(good, bad, same, **{"xl__externalLinks__externalLink1.xml": b"<externalLink/>"})
    assert refusal(linked).code == "workbook-links-outside"


def test_a_zip_that_unfolds_without_measure_is_refused_before_it_is_unfolded(bad: Path, good: Path) -> None:
    bomb = b"<worksheet>" + b" " * (64 << 20)
    assert refusal(rewritten(good, bad, with_sheet(bomb))).code == "workbook-too-large"
    assert bad.stat().st_size < 1 << 20
    assert refusal(good, Limits(file=1000)).code == "workbook-too-large"
    assert refusal(good, Limits(part=1000)).code == "workbook-too-large"
    assert refusal(good, Limits(directory=100)).code == "workbook-too-large"


def test_a_zip_that_lies_about_its_lengths_is_refused(bad: Path, good: Path) -> None:
    content = bytearray(good.read_bytes())
    at = content.rfind(b"PK\x01\x02")
    (length,) = struct.unpack_from("<H", content, at + 28)
    while not content[at + 46 : at + 46 + length].endswith(b"sheet4.xml"):
        at = content.rfind(b"PK\x01\x02", 0, at)
        (length,) = struct.unpack_from("<H", content, at + 28)
    struct.pack_into("<L", content, at + 24, 50)
    bad.write_bytes(content)
    assert refusal(bad).code == "workbook-damaged"


HEAD = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no xml",
        HEAD + b"<sheetData><row r='1'>",
        HEAD + b"<sheetData><row r='2'/><row r='1'/></sheetData></worksheet>",
        HEAD + b"<sheetData><row r='99999999'/></sheetData></worksheet>",
        HEAD + b"<sheetData><row r='1'><c r='A1' t='s'><v>77</v></c></row></sheetData></worksheet>",
        HEAD + b"<sheetData><row r='1'><c r='A1' t='s'><v>x</v></c></row></sheetData></worksheet>",
        HEAD + b"<sheetData><row r='1'><c r='?1'><v>1</v></c><c><v>1</v></c></row></sheetData></worksheet>",
        HEAD + b"<sheetData><row r='1'><c r='A1' t='s'><v>" + b"9" * 5000 + b"</v></c></row></sheetData></worksheet>",
        b"<!DOCTYPE worksheet [<!ENTITY a 'aaaaaaaaaa'>]>" + HEAD + b"<sheetData/></worksheet>",
        b"\xff\xfe" + "<worksheet/>".encode("utf-16-le"),
    ],
)
def test_a_damaged_sheet_is_refused(bad: Path, good: Path, content: bytes) -> None:
    refused = refusal(rewritten(good, bad, with_sheet(content)))
    assert refused.code in ("workbook-damaged", "header-missing")


def test_a_part_that_is_not_there_is_refused(bad: Path, good: Path) -> None:
    def dropping(ending: str) -> Callable[[str, bytes], bytes | None]:
        return lambda name, content: None if name.endswith(ending) else content

    for ending in ("sheet4.xml", "workbook.xml", "workbook.xml.rels", "_rels/.rels", "[Content_Types].xml"):
        assert refusal(rewritten(good, bad, dropping(ending))).code in ("workbook-damaged", "workbook-not-xlsx")


def test_one_row_or_one_cell_without_end_is_refused(bad: Path, good: Path) -> None:
    noise = random.Random(1).randbytes(1 << 20).hex().encode()
    for content in (
        HEAD + b"<sheetData><row><c t='inlineStr'><is><t>" + noise,
        HEAD + b"<sheetData><row>" + b"<c s='1'/>" * 150_000,
        HEAD + b"<cols>" + b"<col min='1' max='2'/>" * 70_000,
        HEAD + b"<a>" * 600_000,
        HEAD + b"<sheetData><row r='" + noise,
    ):
        refused = refusal(rewritten(good, bad, with_sheet(content)), Limits(ratio=100_000, row=1 << 20))
        assert refused.code == "workbook-too-large"


def test_a_million_blank_rows_are_passed_over_within_little_memory(bad: Path, good: Path) -> None:
    with zipfile.ZipFile(good) as package:
        before, after = package.read(SHEET).split(b"</sheetData>")
    blank = b"".join(b'<row r="%d"><c r="A%d" s="1"/></row>' % (number, number) for number in range(3, 1_000_003))
    rewritten(good, bad, with_sheet(before + blank + b"</sheetData>" + after))
    told = subprocess.run([sys.executable, "-c", READ_ALONE, bad], check=True, capture_output=True, text=True).stdout
    keys, most = told.splitlines()
    assert keys == "['0012', 'R1', 'P1']"
    assert int(most) * 1024 < 80 << 20


READ_ALONE = """
import pathlib, re, sys
from services.registry.workbook import open_workbook
with open_workbook(pathlib.Path(sys.argv[1])) as workbook:
    print([row.key for row in workbook.rows() if row.sheet != "履历"])
status = pathlib.Path("/proc/self/status")
print(re.search(r"VmHWM:\\s*([0-9]+) kB", status.read_text())[1] if status.exists() else 0)
"""
"""Its own process, since the most memory a process ever held does not sink again, and getrusage inherits its parent's."""


def test_cells_far_to_the_right_cost_nothing(bad: Path, good: Path) -> None:
    far = b'<row r="%d"><c r="XFD%d" t="inlineStr"><is><t>x</t></is></c></row>'
    with zipfile.ZipFile(good) as package:
        before, after = package.read(SHEET).split(b"</sheetData>")
    more = b"".join(far % (number, number) for number in range(3, 50_000))
    assert len(rows_of(rewritten(good, bad, with_sheet(before + more + b"</sheetData>" + after)), "派驻")) == 1


@pytest.mark.parametrize("namespace", ["http://schemas.openxmlformats.org", "http://purl.oclc.org/ooxml"])
def test_shared_strings_rich_text_days_from_1904_and_strict_files_are_read(
    bad: Path, good: Path, namespace: str
) -> None:
    relation = '<Relationship Id="rIdS" Type="http://x/sharedStrings" Target="/xl/sharedStrings.xml"/></Relationships>'
    strings = (
        '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>x</t></si><si><r><t>单</t></r>'
        "<r><rPr><b/></rPr><t>砚_x0020_生</t></r><rPh><t>dān</t></rPh></si></sst>"
    )

    def change(name: str, content: bytes) -> bytes:
        text = content.decode()
        if name == "xl/workbook.xml":
            text = text.replace("<workbookPr ", '<workbookPr date1904="1" ')
        elif name == "xl/_rels/workbook.xml.rels":
            text = text.replace("</Relationships>", relation)
        elif name.endswith("sheet2.xml"):
            text = text.replace('t="inlineStr"><is><t>单砚生</t></is>', 't="s"><v>1</v>')
        return text.replace(
            "http://schemas.openxmlformats.org/spreadsheetml/2006", f"{namespace}/spreadsheetml"
        ).encode()

    write(good, 干部=[{**CADRE, "公民身份号码": None}])
    out = rewritten(good, bad, change, **{"xl__sharedStrings.xml": strings.encode()})
    (row,) = rows_of(out, "干部")
    assert isinstance(row.record, CadreRow)
    assert row.record.name == "单砚生"
    assert row.record.born == date(1978, 3, 15) + timedelta(1462)


def test_every_refusal_says_what_to_do_in_two_languages() -> None:
    assert all(zh and en and zh != en for zh, en in REFUSALS.values())


def test_an_opened_file_is_let_go_after_a_refusal(bad: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    write(bad, {"派驻": ["x"]}, 派驻=[POSTING])
    for _ in range(20):
        refusal(bad)
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after <= before + 2


REFUSED_ALONE = """
import pathlib, re, resource, sys
from services.registry.workbook import WorkbookRefused, open_workbook
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xlsx")):
    try:
        with open_workbook(path) as workbook:
            print(path.stem, len(list(workbook.rows())))
    except WorkbookRefused as refused:
        print(path.stem, refused.code)
status = pathlib.Path("/proc/self/status")
print("memory", re.search(r"VmHWM:\\s*([0-9]+) kB", status.read_text())[1] if status.exists() else 0)
"""


def test_what_is_made_to_harm_is_refused_within_a_gigabyte_of_addresses_and_a_minute(
    good: Path, tmp_path: Path
) -> None:
    harm = tmp_path / "harm"
    harm.mkdir()
    spaces = b" " * (48 << 20)
    laughs = b"<!DOCTYPE x [<!ENTITY a0 'ha'>" + b"".join(
        b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12)
    )
    outside = b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
    rewritten(good, harm / "bomb.xlsx", with_sheet(HEAD + spaces))
    rewritten(
        good, harm / "laughs.xlsx", with_sheet(laughs + b"]>" + HEAD + b"<sheetData>&a11;</sheetData></worksheet>")
    )
    rewritten(good, harm / "outside.xlsx", with_sheet(outside + HEAD + b"<sheetData>&a;</sheetData></worksheet>"))
    rewritten(good, harm / "traversal.xlsx", same, **{"..__..__..__tmp__evil.txt": b"x", "/etc/passwd": b"x"})
    (harm / "truncated.xlsx").write_bytes(good.read_bytes()[:-200])
    (harm / "encrypted.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"))
    done = subprocess.run([sys.executable, "-c", REFUSED_ALONE, harm], check=True, capture_output=True, text=True)
    said = dict(line.split() for line in done.stdout.splitlines())
    memory = int(said.pop("memory"))
    good_rows = len([row for sheet in ("单位", "干部", "履历", "派驻") for row in rows_of(good, sheet)])
    assert said == {
        "bomb": "workbook-too-large",
        "laughs": "workbook-damaged",
        "outside": "workbook-damaged",
        "traversal": str(good_rows),
        "truncated": "workbook-not-xlsx",
        "encrypted": "workbook-encrypted",
    }
    assert memory * 1024 < 100 << 20
    assert not Path("/tmp/evil.txt").exists(), "nothing is unpacked to where a name points"
