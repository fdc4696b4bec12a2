"""How long after its day a reminder is still worth sending: configuration with effective dates."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from chassis.dated import Dated, load_dated

DEFAULT = Path(__file__).with_name("rules.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderRule:
    """A reminder is sent until ``late_days`` days after the day on which what it reminds of is due."""

    late_days: Annotated[int, Meta(ge=0, le=3660)]


def load(path: Path = DEFAULT) -> Dated[ReminderRule]:
    """The rules of a TOML file, by default the committed one.

    Raises:
        BadRules: the file does not hold.
    """
    return load_dated(path, ReminderRule)


def worth_sending_since(rules: Dated[ReminderRule], today: date) -> date:
    """The earliest due day of which a reminder is still sent today. The rule is that of today."""
    return today - timedelta(days=rules.on(today).late_days)
