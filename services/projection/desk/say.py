"""How values are written for people: dates, numbers, ages, events."""

from datetime import date, datetime

from markupsafe import Markup

from chassis.clock import ZONE
from services.projection.desk.texts import EVENTS, zh
from services.projection.figures import Figure
from services.projection.halfyear import HalfYear

_NONE = "—"


def day(value: date | None) -> str:
    """2026年3月1日; a dash for none."""
    return _NONE if value is None else f"{value.year}年{value.month}月{value.day}日"


def moment(value: datetime | None) -> str:
    """2026-07-01 09:00, in the district's time."""
    return _NONE if value is None else value.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")


def number(value: int | None) -> str:
    """1,086."""
    return _NONE if value is None else f"{value:,}"


def percent(part: int, whole: int) -> str:
    """72.3%, 100%; a dash of nothing."""
    return _NONE if whole == 0 else f"{100 * part / whole:.1f}".removesuffix(".0") + "%"


def age(ms: int | None) -> str:
    """How fresh: 0.3 秒, 12 秒, 5 分钟, 3 小时, 2 天."""
    if ms is None:
        return zh("age-unknown")
    seconds = ms / 1000
    if seconds < 10:
        return zh("age-seconds", n=f"{seconds:.1f}")
    for unit, length in (("age-days", 86400), ("age-hours", 3600), ("age-minutes", 60)):
        if seconds >= 2 * length:
            return zh(unit, n=int(seconds // length))
    return zh("age-seconds", n=int(seconds))


def event(name: str) -> str:
    """What an event is called: 派驻提名. One unknown here keeps its name."""
    return EVENTS.get(name, name)


def half_words(half: HalfYear) -> str:
    """2026年上半年."""
    return zh("half-first" if half.half == 1 else "half-second", year=half.year)


def filled(figure: Figure) -> Markup:
    """The report's phrase with the figure in its blank: marked, so that it stands out."""
    answer = figure.answer()
    state = "owed" if answer["state"] == "owed" else "value"
    # a phrase that names no place begins with its blank: 号
    head, _, tail = figure.blank.phrase.rpartition("_")
    return Markup('{}<b class="{}">{}</b>{}').format(head, state, answer["display"], tail)


def figure_number(figure: Figure) -> str:
    """1,086; a document's year and serial without a comma; 未填报."""
    return (
        number(figure.value)
        if figure.value is not None and not figure.blank.document
        else str(figure.answer()["display"])
    )
