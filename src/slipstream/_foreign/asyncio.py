"""Private names of asyncio: how a task announces itself, and what a task leaves with the future that it waits for."""

import asyncio
import contextvars
import inspect
from collections.abc import Callable
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

enter_task: Callable[[Any, Any], None] | None = getattr(asyncio.tasks, "_enter_task", None)
"""Makes something the current task of a loop, `enter_task(loop, task)`; None where that can't be done."""
leave_task: Callable[[Any, Any], None] | None = getattr(asyncio.tasks, "_leave_task", None)
"""Takes back `enter_task`, with the same arguments."""

try:
    for each in (enter_task, leave_task):
        inspect.signature(each).bind("loop", "task")  # type: ignore[arg-type]  # None is a TypeError
except (TypeError, ValueError):
    enter_task = leave_task = None


class RecordingFuture(asyncio.Future[Any]):
    """A future that keeps what waits for it where everyone may look; it costs a call more than asyncio's own."""

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.recorded: list[tuple[Any, Any]] = []

    def add_done_callback(self, fn: Any, /, *, context: contextvars.Context | None = None) -> None:
        """Keep a callback, and have asyncio keep it too."""
        context = contextvars.copy_context() if context is None else context
        self.recorded.append((fn, context))
        super().add_done_callback(fn, context=context)

    def remove_done_callback(self, fn: Any, /) -> int:
        """Forget a callback."""
        self.recorded = [pair for pair in self.recorded if pair[0] != fn]
        return super().remove_done_callback(fn)


def _keeps_callbacks() -> bool:
    """Whether a future of asyncio has a list of pairs: a callback and its context."""
    loop: Any = SimpleNamespace(get_debug=lambda: False)
    future: Any = asyncio.Future(loop=loop)
    context = contextvars.Context()
    future.add_done_callback(print, context=context)
    return bool(getattr(future, "_callbacks", None) == [(print, context)])


_is_known = _keeps_callbacks()
WaitedFuture: type[Any] = asyncio.Future if _is_known else RecordingFuture
"""A future, made with `loop=`, of which `callbacks_of` can tell who waits."""
callbacks_of: Callable[[Any], list[tuple[Any, Any]]] = attrgetter("_callbacks" if _is_known else "recorded")
"""Returns the callbacks of a `WaitedFuture`, each with the context to call it in."""


def unblock(future: Any) -> None:
    """Tell a future that a coroutine has yielded that its wait has begun; asyncio's tasks do the same."""
    future._asyncio_future_blocking = False
