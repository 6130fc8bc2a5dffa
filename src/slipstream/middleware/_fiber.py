"""A coroutine stepped by hand: no task of the event loop's, and yet a task to all who ask.

Middleware that holds a response back needs the application beneath to pause in the middle of a `send`, and to go on
later. Two tasks and a queue between them do that for 100 µs and more, and the application then lives in another
context. A fiber does it by stepping the application's coroutine itself, inside the task that serves the request.

While it runs, `asyncio.current_task()` is the fiber: cancel scopes, task groups and timeouts opened by the application
belong to it alone, and may stay open across a pause while the middleware opens and closes its own. For this, asyncio
asks of a task that is none of its own only to announce itself on entry and exit ("Extending", Python's library
reference).

A fiber knows nothing of HTTP. It needs asyncio; there is no such door in trio.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any

from slipstream._foreign.asyncio import enter_task, leave_task, unblock

PARKED = object()
"""What a coroutine yields to pause; seen by the one who steps it, never by the event loop."""


@coroutine
def park() -> Generator[Any, Any, None]:
    """Pause the running fiber until it is stepped again. Only for code that runs in the fiber's own frames."""
    yield PARKED


class Fiber(asyncio.Future[None]):
    """A coroutine, where it waits, and what a task tells about itself.

    Done, with the result None, when the coroutine has ended in whatever way; `step` raises what it raised.
    """

    # The first two carry the names that asyncio's own tasks have, for anyio's cancel scopes look at them.
    _fut_waiter: Any = None
    _must_cancel = False
    _cancels = 0
    _message: Any = None
    context: contextvars.Context | None = None
    """Context to run in; None for that of whoever steps."""

    def __init__(self, coro: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._coro = coro

    @property
    def can_run(self) -> bool:
        """Whether it waits for nothing, or what it waited for is there."""
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
        assert enter_task is not None
        assert leave_task is not None
        leave_task(loop, stepper)
        enter_task(loop, self)
        try:
            if self.context is not None:
                seen = self.context.run(self._resume, error)
            elif error is None:
                seen = self._coro.send(None)
            else:
                seen = self._coro.throw(error)
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
        """Put away what it waited for; give the exception to resume with, if any."""
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

    def _wait(self, waiter: Any) -> None:
        """Keep the future that the coroutine yielded; whoever steps has to wait for it."""
        unblock(waiter)
        self._fut_waiter = waiter
        if self._must_cancel and waiter.cancel(msg=self._message):
            self._must_cancel = False

    def _end(self) -> None:
        self._fut_waiter = None
        if not self.done():
            super().set_result(None)

    def kill(self) -> None:
        """Close the coroutine here and now, without a chance to wait: the event loop is gone."""
        self._end()
        self._coro.close()

    # What a task does, as far as libraries ask it of the current task.

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
        """How many cancellations were asked for and not taken back."""
        return self._cancels

    def uncancel(self) -> int:
        """Take one cancellation back, as `asyncio.timeout` does with its own."""
        if self._cancels > 0:
            self._cancels -= 1
            if self._cancels == 0:
                self._must_cancel = False
        return self._cancels

    def get_coro(self) -> Coroutine[Any, Any, Any]:
        """Give the coroutine."""
        return self._coro

    def get_name(self) -> str:
        """Give a name for logs."""
        return f"Fiber-{id(self):x}"


class Wait:
    """What the event loop waits for in a fiber's stead: for the same future, or for a call to `wake`.

    A cancellation of the waiting task ends the wait and leaves the fiber and its future as they are: it is for the
    one who steps the fiber to decide what becomes of it.
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
        """End the wait, though the future is not done."""
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

    # What a task, or another fiber's `Wait`, asks of a future.

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Give the loop that the future belongs to."""
        return self._loop

    def done(self) -> bool:
        """Whether the wait has ended."""
        return self._is_woken or bool(self._future.done())

    def result(self) -> None:
        """Raise CancelledError if the wait was cancelled; the future's own result is for the fiber."""
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
