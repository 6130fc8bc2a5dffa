"""Private names of asyncio: how a task announces itself and waits, and what it leaves with what it waits for."""

import asyncio
import contextvars
import inspect
from asyncio import current_task
from collections.abc import Callable, Coroutine, Generator
from types import SimpleNamespace, coroutine
from typing import Any, NoReturn

enter_task: Any = getattr(asyncio.tasks, "_enter_task", None)
"""`enter_task(loop, task)` makes an object the current task of a loop; None where that is not possible."""
leave_task: Any = getattr(asyncio.tasks, "_leave_task", None)
"""Reverses `enter_task`, with the same arguments."""
register_task: Any = getattr(asyncio.tasks, "_register_task", None)
"""`register_task(task)` adds an object to what `asyncio.all_tasks` returns, until it is done; None where unknown."""

try:
    for each in (enter_task, leave_task):
        inspect.signature(each).bind("loop", "task")  # None is a TypeError
except (TypeError, ValueError):
    enter_task = leave_task = None


class RecordingFuture(asyncio.Future[Any]):
    """A future with a public list of its callbacks; slower than asyncio's own by a call."""

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.recorded: list[tuple[Any, Any]] = []

    def add_done_callback(self, fn: Any, /, *, context: contextvars.Context | None = None) -> None:
        context = contextvars.copy_context() if context is None else context
        self.recorded.append((fn, context))
        super().add_done_callback(fn, context=context)

    def remove_done_callback(self, fn: Any, /) -> int:
        self.recorded = [pair for pair in self.recorded if pair[0] != fn]
        return super().remove_done_callback(fn)


def _keeps_callbacks() -> bool:
    """Whether a future of asyncio keeps its callbacks as a list of pairs: callback and context."""
    loop: Any = SimpleNamespace(get_debug=lambda: False)
    future: Any = asyncio.Future(loop=loop)
    context = contextvars.Context()
    future.add_done_callback(print, context=context)
    return bool(getattr(future, "_callbacks", None) == [(print, context)])


KNOWS_CALLBACKS = _keeps_callbacks()
"""Whether a future of asyncio's own shows its callbacks."""
WaitedFuture: type[Any] = asyncio.Future if KNOWS_CALLBACKS else RecordingFuture
"""A future, made with `loop=`, for `run_on`."""


def run_on(turn: Any, item: Any) -> bool:
    """Set the result of a `WaitedFuture`, let its one waiting task run on now, and return whether that was possible.

    It is not while a task runs, if the waiting task is being cancelled, or if its context has been entered already;
    then nothing has been changed.
    """
    loop = turn.get_loop()
    if turn.done() or current_task(loop) is not None:
        return False
    ((resume, context),) = turn._callbacks if KNOWS_CALLBACKS else turn.recorded
    try:
        context.run(_resume, turn, resume, item)
    except (SystemExit, KeyboardInterrupt) as error:
        loop.call_soon(_raise, error)  # a transport would treat it as an error of the protocol
    except RuntimeError:
        if turn.done():
            raise
        return False
    return True


def _resume(turn: Any, resume: Callable[[Any], object], item: Any) -> None:
    """Call `resume`, by which the task waits for `turn`, in the task's context."""
    turn.remove_done_callback(resume)
    turn.set_result(item)
    resume(turn)


def _raise(error: BaseException) -> NoReturn:
    raise error


@coroutine
def go_on(
    begun: Coroutine[Any, Any, Any], waits_for: Any, error: BaseException | None = None
) -> Generator[Any, Any, Any]:
    """Go on with a coroutine that was begun by hand, and return its result.

    Args:
        begun: The coroutine.
        waits_for: What it has yielded last: a future, or None for a turn of the loop.
        error: What the task raised meanwhile, since it was cancelled; None: nothing.
    """
    while True:
        if error is None or (waits_for is not None and waits_for.cancel()):
            error = None
            if waits_for is not None:
                waits_for._asyncio_future_blocking = True  # marks it as awaited; asyncio's tasks look for it
            try:
                yield waits_for
            except BaseException as raised:
                error = raised
        if error is None:
            return (yield from begun.__await__())
        try:
            waits_for, error = begun.throw(error), None
        except StopIteration as end:
            return end.value


def is_awaited(seen: Any) -> bool:
    """Whether what a coroutine has yielded is a future that it awaits, as opposed to one that it yields by mistake."""
    return getattr(seen, "_asyncio_future_blocking", None) is True


class Waiting(asyncio.Future[None]):
    """What a task keeps while it waits, under the names of asyncio's own tasks: anyio's cancel scopes read them."""

    _fut_waiter: Any = None
    _must_cancel = False
    _message: Any = None

    def _wait(self, waiter: Any) -> None:
        """Keep the future that the coroutine has yielded, for the caller to wait for."""
        waiter._asyncio_future_blocking = False  # marks it as awaited, as asyncio's tasks do
        self._fut_waiter = waiter
        if self._must_cancel and waiter.cancel(msg=self._message):
            self._must_cancel = False
