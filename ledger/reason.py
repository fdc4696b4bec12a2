"""Why something failed, in words that may be kept and logged: never the values that were involved."""

import re
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from xiapai_contracts.event import MalformedEvent
from xiapai_contracts.record import MalformedRecord


def reason_of(error: BaseException) -> str:
    """The type of failure, what names it (a stable code, an SQLSTATE, a constraint), and where it was raised. The
    message is left out, since it may quote what is personal; our own contracts' messages quote only in quotes."""
    words = [type(error).__name__]
    if isinstance(error, (MalformedEvent, MalformedRecord)):
        words.append(re.sub(r"'[^']*'|\"[^\"]*\"", "…", str(error))[:200])
    elif isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig is not None else None
        words = [type(cause or error.orig or error).__name__]
        words += [str(found) for name in ("sqlstate", "constraint_name") if (found := getattr(cause, name, None))]
    elif isinstance(code := getattr(error, "code", None), str):
        words.append(code[:100])
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is not None:
        words.append(f"at {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}")
    return " ".join(words)
