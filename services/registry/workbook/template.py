"""The empty workbook to fill in: the four sheets with their headers, lists of the allowed words, codes as text."""

from pathlib import Path

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from services.registry.workbook.columns import SHEETS, Column, Kind, Sheet

_LAST_ROW = 20_000
_NEEDED = PatternFill("solid", fgColor="FFF2CC")
_YES_NO = '"是,否"'
_MOST_LIST = 255
"""What Excel takes as a list written out in a validation, in characters."""


def write_template(out: Path) -> None:
    """Writes the template to ``out``. Needed columns are yellow; codes are text, so that no digit is lost."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for sheet in SHEETS:
        _sheet(book.create_sheet(sheet.name), sheet)
    book.save(out)


def _sheet(page: Worksheet, sheet: Sheet) -> None:
    page.freeze_panes = "A2"
    for number, column in enumerate(sheet.columns, 1):
        letter = get_column_letter(number)
        head = page.cell(1, number, column.header)
        head.font = Font(bold=True)
        if column.required or column.header in sheet.either:
            head.fill = _NEEDED
        head.comment = Comment(_note(column, sheet), "下派办")
        page.column_dimensions[letter].width = max(12, 2 * len(column.header) + 4)
        page.column_dimensions[letter].number_format = "yyyy-mm-dd" if column.kind is Kind.DATE else "@"
        allowed = _allowed(column)
        if allowed is not None:
            page.add_data_validation(allowed)
            allowed.add(f"{letter}2:{letter}{_LAST_ROW}")


def _allowed(column: Column) -> DataValidation | None:
    words = _YES_NO if column.kind is Kind.YES_NO else f'"{",".join(column.words)}"'
    if column.kind not in (Kind.WORD, Kind.YES_NO) or len(words) > _MOST_LIST:
        return None
    return DataValidation(
        type="list", formula1=words, allow_blank=not column.required, showErrorMessage=True, error="请从列表中选择"
    )


def _note(column: Column, sheet: Sheet) -> str:
    needed = "必填" if column.required else "与另一列任填一项" if column.header in sheet.either else "可空"
    match column.kind:
        case Kind.CODE | Kind.CREDIT_CODE | Kind.IDENTITY_NUMBER | Kind.DIVISION:
            return f"{needed}。按文本填写，不要用数字格式。"
        case Kind.DATE:
            return f"{needed}。日期，或 2026-03-01、2026/3/1、2026.3.1、2026年3月1日。"
        case Kind.WORD:
            return f"{needed}。只能填：{'、'.join(column.words)}。"
        case Kind.YES_NO:
            return f"{needed}。是 或 否。"
        case _:
            return f"{needed}。"
