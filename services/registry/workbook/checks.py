"""What must hold within one row, once each of its cells was read. What needs other rows is the import's to check."""

from collections.abc import Iterator

from xiapai_contracts.terms import CATEGORIES, Category

from services.registry.codes import BadCode, identity_number
from services.registry.workbook.rows import CadreRow, EarlierPostRow, PostingRow, Record, UnitRow
from services.registry.workbook.sentences import Fault, fault


def faults_of(record: Record) -> list[Fault]:
    """The row's faults, in the order of its columns; empty where it holds."""
    match record:
        case UnitRow():
            return list(_unit(record))
        case CadreRow():
            return list(_cadre(record))
        case EarlierPostRow():
            return list(_earlier_post(record))
        case PostingRow():
            return list(_posting(record))


def _unit(row: UnitRow) -> Iterator[Fault]:
    if row.parent == row.code:
        yield fault("unit-is-its-own-parent", "上级单位代码")


def _cadre(row: CadreRow) -> Iterator[Fault]:
    if row.identity_number is not None:
        try:
            identity_number(row.identity_number, row.born)
        except BadCode as bad:
            yield fault(bad.code, "公民身份号码")


def _earlier_post(row: EarlierPostRow) -> Iterator[Fault]:
    if row.unit is None and row.unit_name is None:
        yield fault("unit-or-name-missing", "单位代码")
    if row.ends < row.starts:
        yield fault("ends-before-it-starts", "结束日期")


def _posting(row: PostingRow) -> Iterator[Fault]:
    if row.category not in CATEGORIES[row.tier]:
        yield fault("category-not-of-tier", "类别")
    if row.ends < row.starts:
        yield fault("ends-before-it-starts", "结束日期")
    if row.ended is not None and row.ended < row.starts:
        yield fault("ended-before-it-starts", "实际结束日期")
    elif row.arrived is not None and not row.starts <= row.arrived <= min(row.ends, row.ended or row.ends):
        yield fault("arrived-outside-the-period", "到岗日期")
    if row.end_reason is not None and row.ended is None:
        yield fault("end-reason-without-end", "结束原因")
    if (row.category is Category.TWO_WAY_EXCHANGE) is not (row.direction is not None):
        yield fault("direction-not-allowed" if row.direction else "direction-missing", "交流方向")
