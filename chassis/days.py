"""Which days are taken in: those that somebody can mean. 0001-01-01 and 9999-12-31 are placeholders of other systems, and
counting on from them leaves the calendar.
"""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

FIRST = date(1900, 1, 1)
LAST = date(2199, 12, 31)
OUT_OF_RANGE = "day-out-of-range"
"""The code of the refusal, wherever such a day comes in."""


def is_meant(day: date) -> bool:
    """Whether it lies in the three centuries that count."""
    return FIRST <= day <= LAST


def _checked(day: date) -> date:
    if not is_meant(day):
        raise PydanticCustomError("day_out_of_range", "between {first} and {last}", {"first": FIRST, "last": LAST})
    return day


Day = Annotated[date, AfterValidator(_checked), Field(description=f"a day from {FIRST} to {LAST}")]
"""A day in a body or a query; 422 `input-invalid` with `day-out-of-range` at its place."""
