"""What the tasks of a test that ran out of time were waiting for."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any


def stuck() -> str:
    """Each task that has not ended, and the places at which it waits, outermost first."""
    tasks = [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]
    return "\n".join(f"{task.get_name()}\n" + "".join(f"    {place}\n" for place in _places(task)) for task in tasks)


def _places(task: "asyncio.Task[Any]") -> Iterator[str]:
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame = next((found for name in ("cr", "ag", "gi") if (found := getattr(waiting, f"{name}_frame", None))), None)
        if frame is None:
            return
        yield f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}"
        waiting = next(
            (found for name in ("cr_await", "ag_await", "gi_yieldfrom") if (found := getattr(waiting, name, None))),
            None,
        )
