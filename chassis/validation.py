"""What is wrong with a request that does not fit its declared shape, field by field, in both languages."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from chassis.catalogue import fill
from chassis.days import OUT_OF_RANGE
from chassis.problems import BadRequest, FieldError, Problem, Unprocessable, UnsupportedMedia

_MOST_ERRORS = 50

# pydantic's error type -> (code, zh, en); the value itself is never repeated, it may be a name
_SAYINGS: dict[str, tuple[str, str, str]] = {
    "missing": ("missing", "缺少这一项,请补上。", "This is missing; please add it."),
    "extra_forbidden": ("not-known", "没有这一项,请删去或检查拼写。", "There is no such field; remove it or check its spelling."),
    "string_too_short": ("too-short", "至少要 {min_length} 个字符。", "At least {min_length} characters are needed."),
    "string_too_long": ("too-long", "最多 {max_length} 个字符。", "At most {max_length} characters."),
    "string_pattern_mismatch": ("wrong-format", "格式不对,应符合 {pattern}。", "The format is wrong; it should match {pattern}."),
    "greater_than": ("too-small", "应大于 {gt}。", "Should be greater than {gt}."),
    "greater_than_equal": ("too-small", "应不小于 {ge}。", "Should be at least {ge}."),
    "less_than": ("too-large", "应小于 {lt}。", "Should be less than {lt}."),
    "less_than_equal": ("too-large", "应不大于 {le}。", "Should be at most {le}."),
    "enum": ("not-one-of", "应是下列之一:{expected}。", "Should be one of: {expected}."),
    "literal_error": ("not-one-of", "应是下列之一:{expected}。", "Should be one of: {expected}."),
    "day_out_of_range": (OUT_OF_RANGE, "日期应在 {first} 至 {last} 之间。", "The day should lie between {first} and {last}."),
    "too_long": ("too-many", "最多 {max_length} 项。", "At most {max_length} items."),
    "too_short": ("too-few", "至少 {min_length} 项。", "At least {min_length} items."),
}  # fmt: skip
_FAMILIES: tuple[tuple[str, tuple[str, str, str]], ...] = (
    ("string_", ("not-a-text", "应是文字。", "Should be a text.")),
    ("int_", ("not-a-whole-number", "应是整数。", "Should be a whole number.")),
    ("float_", ("not-a-number", "应是数字。", "Should be a number.")),
    ("decimal_", ("not-a-number", "应是数字。", "Should be a number.")),
    ("bool_", ("not-a-boolean", "应是 true 或 false。", "Should be true or false.")),
    ("datetime_", ("not-a-moment", "应是时刻,例如 2026-07-01T09:00:00+08:00。", "Should be a moment such as 2026-07-01T09:00:00+08:00.")),
    ("timezone_", ("not-a-moment", "应是带时区的时刻,例如 2026-07-01T09:00:00+08:00。", "Should be a moment with its zone, such as 2026-07-01T09:00:00+08:00.")),
    ("date_", ("not-a-date", "应是日期,例如 2026-07-01。", "Should be a date such as 2026-07-01.")),
    ("list_", ("not-a-list", "应是列表。", "Should be a list.")),
    ("uuid_", ("not-a-uuid", "应是 UUID。", "Should be a UUID.")),
    ("dict_", ("not-an-object", "应是 JSON 对象。", "Should be a JSON object.")),
    ("dataclass_", ("not-an-object", "应是 JSON 对象。", "Should be a JSON object.")),
    ("model_", ("not-an-object", "应是 JSON 对象。", "Should be a JSON object.")),
)  # fmt: skip
_OTHER = ("not-valid", "不符合要求,请对照接口文档(/docs)。", "Not valid; compare it with /docs.")


def validation_problem(request: Request, errors: Sequence[Mapping[str, Any]]) -> Problem:
    """From pydantic's errors to 400 (not JSON), 415 (another media type) or 422 with every mistake listed."""
    if any(error["type"] == "json_invalid" for error in errors):
        return BadRequest("body-not-json")
    if any(tuple(error["loc"]) == ("body",) for error in errors) and _has_foreign_body(request):
        return UnsupportedMedia("media-type-unsupported", headers={"Accept": "application/json"})
    return Unprocessable("input-invalid", count=len(errors), errors=[field_error(e) for e in errors[:_MOST_ERRORS]])


def field_error(error: Mapping[str, Any]) -> FieldError:
    """One pydantic error in our words."""
    kind = str(error["type"])
    code, zh, en = _SAYINGS.get(kind) or next((said for start, said in _FAMILIES if kind.startswith(start)), _OTHER)
    limits = error.get("ctx") or {}
    return FieldError(
        where=".".join(str(part) for part in error["loc"])[:200],
        code=code,
        detail=fill(zh, limits),
        detail_en=fill(en, limits),
    )


def _has_foreign_body(request: Request) -> bool:
    length = request.headers.get("content-length", "0")
    if length == "0" and "transfer-encoding" not in request.headers:
        return False
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    return not (media == "application/json" or media.endswith("+json"))
