"""The four sheets and their columns, as data: reader, template and back-copy are made from this table."""

import dataclasses
from collections.abc import Mapping
from enum import Enum, StrEnum

from xiapai_contracts.terms import ZH, Category, EndReason, ExchangeDirection, Mode, Rank, Sex, Tier, UnitKind

from services.registry.workbook.rows import CadreRow, EarlierPostRow, PostingRow, Record, UnitRow


class Kind(Enum):
    """How the cells of a column are read."""

    CODE = "text of at most 32 characters; numbers are refused, for they lose leading zeros"
    CREDIT_CODE = "unified social credit code"
    IDENTITY_NUMBER = "citizen identity number"
    DIVISION = "administrative division, 6 digits"
    PHONE = "telephone number"
    NAME = "a name: padding blanks between Chinese characters are dropped"
    TEXT = "text of at most 200 characters"
    DATE = "an Excel date, or text 2026-03-01, 2026/3/1, 2026.3.1, 2026年3月1日"
    YES_NO = "是 or 否"
    WORD = "one of the allowed words"


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column: its header, the field it fills, whether each row needs it, and for WORD what its words mean."""

    header: str
    field: str
    kind: Kind
    required: bool = False
    words: Mapping[str, StrEnum] = dataclasses.field(default_factory=dict)
    also: Mapping[str, StrEnum] = dataclasses.field(default_factory=dict)
    """Further spellings that are read, but not offered in the template."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: ``either`` names headers of which one suffices, in sheet and row; ``key`` identifies a row."""

    name: str
    record: type[Record]
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    either: tuple[str, ...] = ()

    def missing(self, headers: set[str]) -> list[str]:
        """Headers that the sheet lacks. Optional columns count too: an absent one would read as every cell emptied."""
        lacking = [column.header for column in self.columns if column.header not in headers]
        if any(header in headers for header in self.either):
            lacking = [header for header in lacking if header not in self.either]
        return lacking


def _words(terms: type[StrEnum]) -> dict[str, StrEnum]:
    return {ZH[term]: term for term in terms}


_EXCHANGE_IN_FULL = {"街镇场处与区直部门双向交流": Category.TWO_WAY_EXCHANGE}

UNITS = Sheet(
    "单位",
    UnitRow,
    (
        Column("单位代码", "code", Kind.CODE, required=True),
        Column("单位名称", "name", Kind.NAME, required=True),
        Column("类别", "kind", Kind.WORD, required=True, words=_words(UnitKind)),
        Column("上级单位代码", "parent", Kind.CODE),
        Column("统一社会信用代码", "credit_code", Kind.CREDIT_CODE),
        Column("贫困村", "poor_village", Kind.YES_NO),
        Column("行政区划代码", "division", Kind.DIVISION),
    ),
    key=("code",),
)

CADRES = Sheet(
    "干部",
    CadreRow,
    (
        Column("人员编号", "code", Kind.CODE, required=True),
        Column("姓名", "name", Kind.NAME, required=True),
        Column("公民身份号码", "identity_number", Kind.IDENTITY_NUMBER),
        Column("性别", "sex", Kind.WORD, words=_words(Sex)),
        Column("出生日期", "born", Kind.DATE, required=True),
        Column("手机", "phone", Kind.PHONE),
        Column("职级", "rank", Kind.WORD, required=True, words=_words(Rank)),
        Column("职务", "duty", Kind.TEXT),
        Column("派出单位代码", "sender", Kind.CODE, required=True),
        Column("政治面貌", "party", Kind.TEXT),
    ),
    key=("code",),
)

EARLIER_POSTS = Sheet(
    "履历",
    EarlierPostRow,
    (
        Column("人员编号", "person", Kind.CODE, required=True),
        Column("单位代码", "unit", Kind.CODE),
        Column("单位名称", "unit_name", Kind.NAME),
        Column("职务", "duty", Kind.TEXT, required=True),
        Column("党政主要领导", "principal_leader", Kind.YES_NO, required=True),
        Column("开始日期", "starts", Kind.DATE, required=True),
        Column("结束日期", "ends", Kind.DATE, required=True),
    ),
    key=("person", "starts", "unit", "unit_name", "duty"),
    either=("单位代码", "单位名称"),
)

POSTINGS = Sheet(
    "派驻",
    PostingRow,
    (
        Column("派驻编号", "code", Kind.CODE, required=True),
        Column("人员编号", "person", Kind.CODE, required=True),
        Column("层级", "tier", Kind.WORD, required=True, words=_words(Tier)),
        Column("类别", "category", Kind.WORD, required=True, words=_words(Category), also=_EXCHANGE_IN_FULL),
        Column("派出单位代码", "sender", Kind.CODE, required=True),
        Column("接收单位代码", "host", Kind.CODE, required=True),
        Column("方式", "mode", Kind.WORD, words=_words(Mode)),
        Column("挂任职务", "duty", Kind.TEXT),
        Column("开始日期", "starts", Kind.DATE, required=True),
        Column("结束日期", "ends", Kind.DATE, required=True),
        Column("到岗日期", "arrived", Kind.DATE),
        Column("实际结束日期", "ended", Kind.DATE),
        Column("结束原因", "end_reason", Kind.WORD, words=_words(EndReason)),
        Column("依据文号", "basis", Kind.TEXT, required=True),
        Column("派出责任人", "sender_contact", Kind.NAME),
        Column("接收责任人", "host_contact", Kind.NAME),
        Column("交流方向", "direction", Kind.WORD, words=_words(ExchangeDirection)),
    ),
    key=("code",),
)

SHEETS: tuple[Sheet, ...] = (UNITS, CADRES, EARLIER_POSTS, POSTINGS)
"""In the order in which an import takes them: what a row refers to stands in an earlier sheet, or in its own."""

RESULT = "导入结果"
REASON = "原因"


class Outcome(StrEnum):
    """What became of a row, as the back-copy says it under :data:`RESULT`."""

    IMPORTED = "已导入"
    UNCHANGED = "已存在"
    UPDATED = "已更新"
    REFUSED = "未通过"
