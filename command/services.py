"""The services of the programme, in the order in which one posting meets them."""

from collections.abc import Sequence
from importlib import import_module

from chassis.service import Service
from command.mistakes import Unknown

NAMES = ("registry", "reporting", "assessment", "notify", "projection")


def service(name: str) -> Service:
    """One service. Loaded when it is asked for: a process that hosts one need not carry the others.

    Raises:
        Unknown: there is none of that name.
    """
    if name not in NAMES:
        raise Unknown(f"没有服务 {name}。no such service; there are: {', '.join(NAMES)}")
    found = import_module(f"services.{name}.__main__").SERVICE
    assert isinstance(found, Service)
    return found


def services(names: Sequence[str] = NAMES) -> tuple[Service, ...]:
    """Those services; none named: all."""
    return tuple(service(name) for name in names or NAMES)


def ledgers() -> tuple[Service, ...]:
    """Those that record: the projection records nothing of its own."""
    return tuple(one for one in services() if one.topics)
