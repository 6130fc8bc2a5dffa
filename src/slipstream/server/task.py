"""A task whose first step is taken at once: most handlers of requests end in it.

A task of asyncio begins in the next turn of the loop, which costs 2 to 3 µs of CPU a request
(docs/design/0018). Python 3.12 has eager tasks, which cost nearly as much.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, Final

from slipstream._foreign.asyncio import enter_task, is_awaited, leave_task, register_task
from slipstream.middleware._fiber import Fiber

Ended = Callable[[BaseException | None, Any], object]
"""Called with what a coroutine has raised, or None, and with its result."""

IN_PLACE: Final = enter_task is not None and register_task is not None
"""Whether requests are begun in place; if not, by tasks of asyncio."""


def begin(
    coro: Coroutine[Any, Any, Any], context: contextvars.Context, loop: asyncio.AbstractEventLoop, ended: Ended
) -> "asyncio.Future[Any] | None":
    """Run a coroutine as a task; return the task, or None if the coroutine has ended already."""
    if not IN_PLACE:
        plain: asyncio.Task[None] = loop.create_task(_reporting(coro, ended), context=context)
        return None if plain.done() else plain  # the loop may have an eager task factory
    task: EagerTask = EagerTask(loop=loop)
    task.coroutine = coro
    error: BaseException | None = None
    result = None
    try:
        enter_task(loop, task)
    except RuntimeError:  # another task is running
        task.wait(context, ended)
        loop.call_soon(task.step_on)
        return task
    # The first step, which is the last of most handlers, has what it needs in variables.
    try:
        seen = context.run(coro.send, None)
    except StopIteration as end:
        result = end.value
    except BaseException as raised:
        error = raised
    else:
        task.wait(context, ended)
        task.go_on_after(seen, loop)
        return task
    finally:
        leave_task(loop, task)
    task.set_result(None)
    ended(error, result)
    return None


async def _reporting(coro: Coroutine[Any, Any, Any], ended: Ended) -> None:
    try:
        result = await coro
    except BaseException as error:
        ended(error, None)
    else:
        ended(None, result)


class EagerTask(Fiber):
    """A fiber that goes on by itself when what it waits for is done."""

    __init__ = asyncio.Future.__init__  # in C; an `__init__` in Python would cost as much as the first step

    context: contextvars.Context
    ended: Ended

    def wait(self, context: contextvars.Context, ended: Ended) -> None:
        """Take what further steps need; `asyncio.all_tasks` has the task from now on."""
        self.context, self.ended = context, ended
        register_task(self)

    def step_on(self, _done: Any = None) -> None:
        """Run the coroutine up to its next pause."""
        loop = self.get_loop()
        error = self._arrived() if self._must_cancel or self._fut_waiter is not None else None
        outcome: tuple[BaseException | None, Any]
        enter_task(loop, self)
        try:
            seen = self.context.run(self.coroutine.send, None) if error is None else self._throw(error)
        except StopIteration as end:
            outcome = None, end.value
        except BaseException as raised:
            outcome = raised, None
        else:
            self.go_on_after(seen, loop)
            return
        finally:
            leave_task(loop, self)
        self._end()
        self.ended(*outcome)

    def _throw(self, error: BaseException) -> Any:
        return self.context.run(self.coroutine.throw, error)

    def go_on_after(self, seen: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Have the next step follow what the coroutine has yielded."""
        if seen is None:
            loop.call_soon(self.step_on)
        elif is_awaited(seen) and seen is not self and seen.get_loop() is loop:
            self._wait(seen)
            seen.add_done_callback(self.step_on)
        else:
            self._fut_waiter = _failed(seen, self, loop)
            self._fut_waiter.add_done_callback(self.step_on)


def _failed(seen: Any, task: EagerTask, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[Any]":
    """Make a future that raises why a task cannot wait for what it has yielded."""
    if seen is task:
        reason = f"Task cannot await on itself: {task!r}"
    elif is_awaited(seen):
        reason = f"Task {task!r} got Future {seen!r} attached to a different loop"
    else:
        reason = f"Task got bad yield: {seen!r}"
    future: asyncio.Future[Any] = loop.create_future()
    future.set_exception(RuntimeError(reason))
    return future
