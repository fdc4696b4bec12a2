"""An event is a frozen dataclass that knows its name and version; this module makes it one, and writes and reads it.

Versions are integers. A published event changes only in compatible ways (a new field with a default), which raises its
version and adds an upcast beside it; anything else is a new name. Every version ever published keeps a golden JSON.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, cast, dataclass_transform

import msgspec

Fields = dict[str, Any]
Upcast = Callable[[Fields], Fields]

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time, always with its offset (RFC 3339)."""


class Event(Protocol):
    """Anything made by :func:`event`: a frozen dataclass with a name and a version of its own.

    A type checker cannot see what a decorator adds; :func:`event_type` hands it over typed.
    """

    event_name: ClassVar[str]
    event_version: ClassVar[int]
    event_upcasts: ClassVar[Mapping[int, Upcast]]


E = TypeVar("E")

NAME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def event(name: str, *, version: int = 1, upcasts: Mapping[int, Upcast] | None = None) -> Callable[[type[E]], type[E]]:
    """Make a class an event: a frozen, keyword-only dataclass called ``name`` (``posting.arrived``) at ``version``.

    ``upcasts`` maps each earlier version ``n`` to the function that makes the fields of ``n + 1`` from those of ``n``.

    Raises:
        TypeError: an earlier version has no upcast, or the name is not lower-case words joined by dots and hyphens.
    """
    if not NAME.fullmatch(name):
        raise TypeError(f"{name!r} is no name for an event; one is posting.host-changed")
    steps = dict(upcasts or {})
    if set(steps) != set(range(1, version)):
        raise TypeError(f"{name} v{version} needs one upcast from each of the versions 1 to {version - 1}")

    def make(cls: type[E]) -> type[E]:
        made = dataclass(frozen=True, kw_only=True, slots=True)(cls)
        for attribute, value in (("event_name", name), ("event_version", version), ("event_upcasts", steps)):
            setattr(made, attribute, value)
        return made

    return make


def added(name: str, default: object) -> Upcast:
    """The upcast to a version that has one field more, whose value was not said before."""
    return lambda fields: fields | {name: default}


def event_type(of: object) -> type[Event]:
    """The type of an event, or the type itself, as one whose ``event_name`` and ``event_version`` a type checker sees.

    Raises:
        TypeError: it is no event.
    """
    found = of if isinstance(of, type) else type(of)
    if not hasattr(found, "event_name"):
        raise TypeError(f"{found.__name__} is no event")
    return cast(type[Event], found)


class UnknownEvent(ValueError):
    """No event of that name is known here."""


class MalformedEvent(ValueError):
    """The bytes are not what the named event and version promise. The message names the field and never its value."""


class Codec:
    """Writes and reads a closed set of event types.

    One codec per ledger: built from the types that the ledger may hold.

    Raises:
        TypeError: two types of one name, or a type that is no event.
    """

    def __init__(self, types: Iterable[type[Any]]) -> None:
        self.types: dict[str, type[Any]] = {}
        for known in types:
            if self.types.setdefault(event_type(known).event_name, known) is not known:
                raise TypeError(f"two events are called {event_type(known).event_name}")
        self._known = frozenset(self.types.values())
        self._encoder = msgspec.json.Encoder()
        self._decoders = {
            name: (msgspec.json.Decoder(known), event_type(known).event_version) for name, known in self.types.items()
        }

    def encode(self, event: Any) -> bytes:
        """The event's fields as UTF-8 JSON, in the order of its declaration.

        Raises:
            UnknownEvent: it is not of the set.
        """
        if type(event) not in self._known:
            raise UnknownEvent(type(event).__name__)
        return self._encoder.encode(event)

    def decode(self, name: str, version: int, data: bytes) -> Any:
        """The event that ``data`` holds, brought up to the version known here.

        A newer version than the one known here is read as the known one: new fields always have defaults, so those
        that this reader does not know are passed over.

        Raises:
            UnknownEvent: no such name.
            MalformedEvent: not JSON, or a field is missing or of another type, or the version is below 1.
        """
        if name not in self._decoders:
            raise UnknownEvent(name)
        decoder, current = self._decoders[name]
        if version < 1:
            raise MalformedEvent(f"{name} v{version}: versions count from 1")
        try:
            if version >= current:
                return decoder.decode(data)
            known = event_type(self.types[name])
            fields = msgspec.json.decode(data)
            for step in range(version, current):
                fields = known.event_upcasts[step](fields)
            return msgspec.convert(fields, known)
        except msgspec.ValidationError as error:
            raise MalformedEvent(f"{name} v{version}: {_without_value(error)}") from None
        except (UnicodeDecodeError, RecursionError):
            raise MalformedEvent(f"{name} v{version}: neither UTF-8 JSON nor of a sane depth") from None
        except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise MalformedEvent(f"{name} v{version}: {error}") from error


def _without_value(error: msgspec.ValidationError) -> str:
    """What msgspec says without the value that it quotes, since that may be about a person."""
    return re.sub(r"(Invalid enum value) .*?( - at `[^`]*`)?$", r"\1\2", str(error), flags=re.DOTALL)
