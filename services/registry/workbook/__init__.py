"""下派台账.xlsx: the district's workbook, read, checked row by row, and given back with its results."""

from services.registry.workbook.columns import SHEETS, Column, Sheet
from services.registry.workbook.package import Limits, WorkbookRefused
from services.registry.workbook.reader import Row, Summary, Workbook, open_workbook
from services.registry.workbook.rows import CadreRow, EarlierPostRow, PostingRow, Record, UnitRow
from services.registry.workbook.sentences import Fault

__all__ = [
    "SHEETS",
    "CadreRow",
    "Column",
    "EarlierPostRow",
    "Fault",
    "Limits",
    "PostingRow",
    "Record",
    "Row",
    "Sheet",
    "Summary",
    "UnitRow",
    "Workbook",
    "WorkbookRefused",
    "open_workbook",
]
