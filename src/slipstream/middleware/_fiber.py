"""A coroutine that is stepped by hand, and that libraries see as a task of asyncio.

Middleware that holds a response back needs the application to pause in the middle of a `send` and to go on later. Two
tasks with a queue take 100 µs and more for that, and the application then has another context. A fiber steps the
application's coroutine inside the task that serves the request.

While it runs, `asyncio.current_task()` is the fiber. So cancel scopes, task groups and timeouts that the application
opens are the fiber's, and may stay open during a pause while the middleware opens and closes its own. asyncio asks of a
foreign task that it announces itself on entry and exit ("Extending" in Python's library reference). trio has no such
interface.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any

from slipstream._foreign.asyncio import Waiting, enter_task, leave_task

PARKED = object()
"""What a coroutine yields to pause; `Fiber.step` takes it, the event loop never sees it."""


@coroutine
def park() -> Generator[Any, Any, None]:
    """Pause the running fiber until its next step. Only for code that runs in the fiber itself."""
    yield PARKED


class Fiber(Waiting):
    """A coroutine, the future that it waits for, and the interface of a task.

    When the coroutine has ended, the fiber is done with the result None; `step` raises what the coroutine raises.
    """

    _cancels = 0
    context: contextvars.Context | None = None
    """Context to run in; None for the caller's."""

    def __init__(self, coro: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._coro = coro

    @property
    def can_run(self) -> bool:
        """Whether it waits for nothing, or for a future that is done."""
        return self._fut_waiter is None or self._fut_waiter.done()

    @property
    def waits_for(self) -> Any:
        """The future that it waits for; None while it is parked, running or done."""
        return self._fut_waiter

    def step(self, stepper: "asyncio.Task[Any]", loop: asyncio.AbstractEventLoop) -> None:
        """Run the coroutine up to its next pause.

        Args:
            stepper: The current task.
            loop: The running loop.

        Raises:
            BaseException: Whatever the coroutine raises.
        """
        error = self._arrived() if self._must_cancel or self._fut_waiter is not None else None
        leave_task(loop, stepper)
        enter_task(loop, self)
        try:
            seen = self._resume(error) if self.context is None else self.context.run(self._resume, error)
        except StopIteration:
            self._end()
        except BaseException:
            self._end()
            raise
        else:
            if seen is not PARKED and seen is not None:
                self._wait(seen)
        finally:
            leave_task(loop, self)
            enter_task(loop, stepper)

    def _resume(self, error: BaseException | None) -> Any:
        return self._coro.send(None) if error is None else self._coro.throw(error)

    def _arrived(self) -> BaseException | None:
        """Forget the future that it waited for; return the exception to resume with, if any."""
        waiter, self._fut_waiter = self._fut_waiter, None
        if self._must_cancel:
            self._must_cancel = False
            return asyncio.CancelledError() if self._message is None else asyncio.CancelledError(self._message)
        if waiter is not None:
            try:
                waiter.result()
            except BaseException as exc:
                return exc
        return None

    def _end(self) -> None:
        self._fut_waiter = None
        if not self.done():
            super().set_result(None)

    def kill(self) -> None:
        """Close the coroutine at once; it cannot wait any more, since the event loop has ended."""
        self._end()
        self._coro.close()

    # The methods of a task that libraries call on the current task.

    def cancel(self, msg: Any = None) -> bool:
        """Ask the coroutine to stop: CancelledError is raised in it at its next step."""
        if self.done():
            return False
        self._cancels += 1
        self._message = msg
        if self._fut_waiter is None or not self._fut_waiter.cancel(msg=msg):
            self._must_cancel = True
        return True

    def cancelling(self) -> int:
        """Return how many calls of `cancel` were not undone by `uncancel`."""
        return self._cancels

    def uncancel(self) -> int:
        """Undo one `cancel`, as `asyncio.timeout` does with its own."""
        if self._cancels > 0:
            self._cancels -= 1
            if self._cancels == 0:
                self._must_cancel = False
        return self._cancels

    def get_coro(self) -> Coroutine[Any, Any, Any]:
        """Return the coroutine."""
        return self._coro

    def get_name(self) -> str:
        """Return a name for logs."""
        return f"Fiber-{id(self):x}"


class Wait:
    """A future that is done when the fiber's future is, or after a call of `wake`.

    If the waiting task is cancelled, the wait ends, and fiber and future stay as they are.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_future", "_is_cancelled", "_is_woken", "_loop")

    def __init__(self, future: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._future = future
        self._loop = loop
        self._callback: Callable[[Any], object] | None = None
        self._context: contextvars.Context | None = None
        self._is_woken = False
        self._is_cancelled: tuple[Any] | None = None
        self._asyncio_future_blocking = True

    def wake(self) -> None:
        """End the wait before the future is done."""
        if self._is_woken:
            return
        self._is_woken = True
        if self._callback is not None:
            self._future.remove_done_callback(self._on_done)
            self._loop.call_soon(self._callback, self, context=self._context)

    def _on_done(self, future: Any) -> None:
        if not self._is_woken and self._callback is not None:
            self._is_woken = True
            self._callback(self)

    # The methods of a future that a task, or another fiber's `Wait`, calls.

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of the future."""
        return self._loop

    def done(self) -> bool:
        """Whether the wait has ended."""
        return self._is_woken or bool(self._future.done())

    def result(self) -> None:
        """Raise CancelledError if the wait was cancelled; the future's own result goes to the fiber."""
        if self._is_cancelled is not None:
            raise asyncio.CancelledError(*(msg for msg in self._is_cancelled if msg is not None))

    def cancel(self, msg: Any = None) -> bool:
        """End the wait by a CancelledError."""
        if self.done():
            return False
        self._is_cancelled = (msg,)
        self.wake()
        return True

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: contextvars.Context | None = None
    ) -> None:
        """Call back once when the wait has ended; there is one waiter at a time."""
        self._callback = callback
        self._context = context
        if self._is_woken:
            self._loop.call_soon(callback, self, context=context)
        else:
            self._future.add_done_callback(self._on_done, context=context)

    def remove_done_callback(self, callback: Callable[[Any], object]) -> int:
        """Forget the waiter."""
        self._callback = None
        return int(self._future.remove_done_callback(self._on_done))
