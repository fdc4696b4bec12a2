"""An event is a frozen dataclass that knows its name and version; this module makes it one, and writes and reads it.

Versions are integers. A published event changes only in compatible ways (a new field with a default), which raises its
version and adds an upcast beside it; anything else is a new name. Every version ever published keeps a golden JSON.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar, dataclass_transform

import msgspec

type_ = type
Fields = dict[str, Any]
Upcast = Callable[[Fields], Fields]


class Event(Protocol):
    """Anything made by :func:`event`: a frozen dataclass with a name and a version of its own."""

    event_name: ClassVar[str]
    event_version: ClassVar[int]
    event_upcasts: ClassVar[Mapping[int, Upcast]]


E = TypeVar("E")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def event(name: str, *, version: int = 1, upcasts: Mapping[int, Upcast] | None = None) -> Callable[[type[E]], type[E]]:
    """Make a class an event: a frozen, keyword-only dataclass called ``name`` (``posting.arrived``) at ``version``.

    ``upcasts`` maps each earlier version ``n`` to the function that makes the fields of ``n + 1`` from those of ``n``.

    Raises:
        TypeError: an earlier version has no upcast.
    """
    steps = dict(upcasts or {})
    if set(steps) != set(range(1, version)):
        raise TypeError(f"{name} v{version} needs one upcast from each of the versions 1 to {version - 1}")

    def make(cls: type[E]) -> type[E]:
        made = dataclass(frozen=True, kw_only=True, slots=True)(cls)
        for attribute, value in (("event_name", name), ("event_version", version), ("event_upcasts", steps)):
            setattr(made, attribute, value)
        return made

    return make


class UnknownEvent(ValueError):
    """No event of that name is known here."""


class MalformedEvent(ValueError):
    """The bytes are not what the named event and version promise."""


class Codec:
    """Writes and reads a closed set of event types.

    One codec per ledger: built from the tuple of types that the ledger may hold.
    """

    def __init__(self, types: Iterable[type_[Any]]) -> None:
        self.types: dict[str, type_[Any]] = {t.event_name: t for t in types}
        self._encoder = msgspec.json.Encoder()
        self._decoders = {name: msgspec.json.Decoder(t) for name, t in self.types.items()}

    def encode(self, event: Any) -> bytes:
        """The event's fields as UTF-8 JSON, in the order of its declaration."""
        return self._encoder.encode(event)

    def decode(self, name: str, version: int, data: bytes) -> Any:
        """The event that ``data`` holds, brought up to the version known here.

        A newer version than the one known here is read as the known one: new fields always have defaults, so those
        that this reader does not know are passed over.

        Raises:
            UnknownEvent: no such name.
            MalformedEvent: not JSON, or a field is missing or of another type.
        """
        decoder = self._decoders.get(name)
        if decoder is None:
            raise UnknownEvent(name)
        known: type_[Any] = self.types[name]
        try:
            if version >= known.event_version:
                return decoder.decode(data)
            fields = msgspec.json.decode(data)
            for step in range(version, known.event_version):
                fields = known.event_upcasts[step](fields)
            return msgspec.convert(fields, known)
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
            raise MalformedEvent(f"{name} v{version}: {error}") from error
