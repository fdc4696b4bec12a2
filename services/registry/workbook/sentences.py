"""The workbook's sentences: stable code -> (Chinese, English). ``{…}`` is filled from headers and limits, not cells."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

FAULTS: Final[dict[str, tuple[str, str]]] = {
    "value-missing": ("必填项为空。", "A value is needed here."),
    "text-too-long": ("文字超过 {limit} 个字符。", "The text is longer than {limit} characters."),
    "code-is-a-number": (
        "单元格是数字，代码须按文本填写（数字会丢失前导零和末尾位数）。",
        "The cell is a number; codes must be text, since numbers lose leading zeros and last digits.",
    ),
    "text-is-a-date": ("单元格是日期，此处应填文本。", "The cell is a date where text belongs."),
    "text-is-a-number": (
        "单元格是小数或科学计数，此处应填文本。",
        "The cell is a fraction or in scientific notation where text belongs.",
    ),
    "not-yes-or-no": ("只能填“是”或“否”。", "Only 是 (yes) or 否 (no) may stand here."),
    "word-not-allowed": ("只能填：{words}。", "Only these words may stand here: {words}."),
    "date-not-read": (
        "不是日期。请用 Excel 日期，或 2026-03-01、2026/3/1、2026.3.1、2026年3月1日。",
        "Not a date. Use an Excel date, or 2026-03-01, 2026/3/1, 2026.3.1, 2026年3月1日.",
    ),
    "date-not-real": ("没有这一天。", "There is no such day."),
    "day-out-of-range": ("日期应在 {first} 至 {last} 之间。", "The day should lie between {first} and {last}."),
    "date-is-a-number": (
        "单元格是数字而不是日期，请设为日期格式。",
        "The cell is a number without a date format; format it as a date.",
    ),
    "formula-not-value": ("此处是公式，应填数值本身。", "A formula stands where a value belongs."),
    "cell-error": ("单元格是错误值（如 #N/A）。", "The cell holds an error value (such as #N/A)."),
    "uscc-length": ("统一社会信用代码应为 18 位。", "A unified social credit code has 18 characters."),
    "uscc-alphabet": (
        "统一社会信用代码含有不允许的字符。",
        "The unified social credit code has a character outside its alphabet.",
    ),
    "uscc-check-digit": (
        "统一社会信用代码校验位不符。",
        "The last character of the unified social credit code does not check.",
    ),
    "identity-length": ("公民身份号码应为 18 位。", "A citizen identity number has 18 characters."),
    "identity-alphabet": (
        "公民身份号码含有不允许的字符。",
        "The citizen identity number has a character that is not allowed.",
    ),
    "identity-birth-date": (
        "公民身份号码中的出生日期不存在。",
        "The birth date inside the citizen identity number is no real day.",
    ),
    "identity-check-digit": (
        "公民身份号码校验位不符。",
        "The last character of the citizen identity number does not check.",
    ),
    "identity-birth-date-differs": (
        "公民身份号码中的出生日期与“出生日期”不一致。",
        "The birth date inside the citizen identity number differs from 出生日期.",
    ),
    "division-shape": ("行政区划代码应为 6 位数字。", "An administrative division has 6 digits."),
    "phone-shape": ("电话号码应为 7 至 15 位数字。", "A telephone number has 7 to 15 digits."),
    "unit-or-name-missing": ("“单位代码”和“单位名称”须填一项。", "Either 单位代码 or 单位名称 is needed."),
    "unit-is-its-own-parent": ("上级单位不能是本单位。", "A unit cannot be its own parent."),
    "ends-before-it-starts": ("结束日期早于开始日期。", "It ends before it starts."),
    "arrived-outside-the-period": ("到岗日期不在派驻期内。", "The arrival lies outside the posting's period."),
    "ended-before-it-starts": ("实际结束日期早于开始日期。", "It actually ended before it started."),
    "end-reason-without-end": (
        "填了结束原因，但没有实际结束日期。",
        "There is a reason for the end, but no actual end.",
    ),
    "category-not-of-tier": ("该层级没有这一派驻类别。", "This tier has no such category."),
    "direction-missing": ("双向交流须填交流方向。", "A two-way exchange needs its direction."),
    "direction-not-allowed": ("只有双向交流才填交流方向。", "Only a two-way exchange has a direction."),
}

REFUSALS: Final[dict[str, tuple[str, str]]] = {
    "workbook-not-xlsx": (
        "文件不是 xlsx 工作簿。请用 Excel 另存为“.xlsx”后重试。",
        "The file is not an xlsx workbook. Save it as .xlsx and try again.",
    ),
    "workbook-old-xls": (
        "文件是旧的 xls 格式。请另存为“.xlsx”后重试。",
        "The file is an old xls. Save it as .xlsx and try again.",
    ),
    "workbook-encrypted": (
        "工作簿已加密。请取消密码后重试。",
        "The workbook is encrypted. Remove its password and try again.",
    ),
    "workbook-has-macros": (
        "工作簿含有宏。请另存为不含宏的“.xlsx”后重试。",
        "The workbook holds macros. Save it as .xlsx without macros and try again.",
    ),
    "workbook-links-outside": (
        "工作簿链接了外部文件。请断开链接、粘贴为数值后重试。",
        "The workbook links to other files. Break the links, paste values and try again.",
    ),
    "workbook-too-large": (
        "工作簿太大（{what}）。请拆分后重试。",
        "The workbook is too large ({what}). Split it and try again.",
    ),
    "workbook-damaged": (
        "工作簿已损坏，无法读取（{what}）。请重新保存后重试。",
        "The workbook is damaged and cannot be read ({what}). Save it again and retry.",
    ),
    "sheet-missing": ("缺少工作表：{what}。什么都没有导入。", "Sheets are missing: {what}. Nothing was imported."),
    "header-missing": ("缺少列：{what}。什么都没有导入。", "Columns are missing: {what}. Nothing was imported."),
    "header-twice": ("列重复：{what}。什么都没有导入。", "Columns stand there twice: {what}. Nothing was imported."),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row is refused: a stable code, the header of the column it concerns, and a sentence in two languages."""

    code: str
    column: str
    zh: str
    en: str


def fault(code: str, column: str, **facts: str) -> Fault:
    """The fault of that code. ``facts`` come from the table of columns; a cell's value never enters a sentence."""
    zh, en = FAULTS[code]
    return Fault(code, column, zh.format(**facts), en.format(**facts))


def reason(faults: Iterable[Fault]) -> str:
    """What the back-copy says under 原因: for each fault its code, the column and the Chinese sentence."""
    return "；".join(f"[{one.code}] {one.column}：{one.zh.rstrip('。')}" for one in faults)
