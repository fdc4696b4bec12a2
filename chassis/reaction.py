"""A reaction: an event of another service in, a command to one stream of this service out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection
from xiapai_contracts.topic import Topic

from chassis.clock import Clock
from ledger.command import Desk, Plan, Reading
from ledger.decider import Decider
from ledger.deliver import Delivered, Handler
from ledger.ending import all_of
from ledger.entry import Request
from ledger.tracing import continue_trace

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Order(Generic[C]):
    """A command, and the stream that it goes to."""

    stream: str
    command: C


def reaction(
    name: str,
    topics: Sequence[Topic],
    *,
    desk: Desk,
    clock: Clock,
    decider: Decider[C, Any, Any],
    react: Callable[[Any], Order[C] | None],
) -> Handler:
    """A handler that records what follows from the events of ``topics``. ``react`` is pure; None: nothing follows.

    The ledger's transaction is not that of the watermarks, so after a death between the two an event comes again: the
    request, which is this handler and the event's id, then finds its first answer. Streams go side by side, so that
    group commit takes them together; the events of one stream go one after another.
    """

    async def record(delivered: Delivered, order: Order[C]) -> None:
        meta = delivered.meta

        async def plan(reading: Reading) -> Plan:
            state = await reading.state(decider, order.stream)
            return Plan(events=[(order.stream, event) for event in decider.decide(order.command, state)])

        with continue_trace(delivered.traceparent, "react"):
            await desk.record(
                plan,
                by=f"reaction:{name}",
                at=clock.now(),
                request=Request(f"reaction:{name}", meta.id, b""),
                cause=f"{name}/{meta.id}",
            )

    async def in_order(orders: Sequence[tuple[Delivered, Order[C]]]) -> None:
        for delivered, order in orders:
            await record(delivered, order)

    async def apply(connection: AsyncConnection, events: Sequence[Delivered]) -> None:
        streams: dict[str, list[tuple[Delivered, Order[C]]]] = {}
        for delivered in events:
            order = react(delivered.event)
            if order is not None:
                streams.setdefault(delivered.meta.stream, []).append((delivered, order))
        await desk.preload(decider, {order.stream for orders in streams.values() for _, order in orders})
        await all_of(in_order(orders) for orders in streams.values())

    return Handler(name, tuple(topics), apply)
