"""Which failures are the database's or the network's, so that trying again is right, and blaming the event wrong."""

import errno
import ssl
from socket import gaierror

from sqlalchemy.exc import DBAPIError, InvalidRequestError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# By class: connection, transaction rolled back (deadlock, serialization), no resources (disk, connections), shut down
# or cancelled, system error; and a lock not to be had.
_CLASSES = ("08", "40", "53", "57", "58")
_CODES = ("55P03", "25P03")
_NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)
_DRIVER = ("ConnectionDoesNotExist", "InterfaceError", "connection is closed", "connection was closed")

_NAMES = {
    "53100": "its disk is full: free some space",
    "53": "it has no more of something that it needs (connections, memory)",
    "57": "it is stopping or starting",
    "58": "its system fails it",
    "40": "transactions stand in each other's way",
    "55": "a lock is not to be had",
}


def named(error: BaseException) -> str:
    """What is the matter with the database, in a few words for an operator."""
    seen: BaseException | None = error
    while seen is not None:
        state = str(getattr(getattr(seen, "orig", seen), "sqlstate", None) or "")
        if state:
            return _NAMES.get(state) or _NAMES.get(state[:2]) or "it cannot be reached"
        seen = seen.__cause__
    return "it cannot be reached"


def is_trouble(error: BaseException | None) -> bool:
    """Whether a failure says nothing about what was asked, only that the database or the network was away."""
    while error is not None:
        if isinstance(error, (ConnectionError, TimeoutError, PoolTimeout, gaierror, PendingRollbackError)):
            return True
        if isinstance(error, ssl.SSLError) or (isinstance(error, OSError) and _no_way(error)):
            return True
        if isinstance(error, DBAPIError):
            if error.connection_invalidated:
                return True
            state = getattr(error.orig, "sqlstate", None)
            if state is not None:
                return str(state)[:2] in _CLASSES or state in _CODES
            return any(word in repr(error.orig) for word in _DRIVER)
        if type(error).__module__.startswith("asyncpg"):
            state = getattr(error, "sqlstate", None)
            return state is None or str(state)[:2] in _CLASSES or state in _CODES
        if isinstance(error, InvalidRequestError) and "closed" in str(error):
            return True
        error = error.__cause__
    return False


def _no_way(error: OSError) -> bool:
    """No address of a host could be reached; asyncio, told of several, gives no number but only words."""
    return error.errno in _NO_WAY or str(error).startswith("Multiple exceptions:")
