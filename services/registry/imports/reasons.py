"""Why a row was refused, as the back-copy says it: the stable code, then the sentence in Chinese and in English."""

from collections.abc import Iterable, Mapping

from chassis.catalogue import Catalogue
from services.registry.texts import TEXTS
from services.registry.workbook import Fault

_CATALOGUE = Catalogue(TEXTS)
_MOST = 1000


def of_faults(faults: Iterable[Fault]) -> str:
    """The faults of a row's cells, one after another, each with its column."""
    said = "; ".join(f"{fault.code} {fault.column}:{fault.zh} {fault.en}" for fault in faults)
    return said[:_MOST]


def of_refusal(code: str, details: Mapping[str, object]) -> str:
    """What a decider or the import itself refused."""
    sentence = _CATALOGUE.say(code, **details)
    return f"{code} {sentence.zh} {sentence.en}"[:_MOST]
