"""By when an ability baseline is to be recorded (R28): configuration with effective dates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from chassis.dated import Dated, load_dated

DEFAULT = Path(__file__).with_name("rules.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRule:
    """A baseline is due ``due_days`` days after arrival."""

    due_days: Annotated[int, Meta(ge=0, le=366)]


def load(path: Path = DEFAULT) -> Dated[BaselineRule]:
    """The rules of a TOML file, by default the committed one.

    Raises:
        BadRules: the file does not hold.
    """
    return load_dated(path, BaselineRule)
