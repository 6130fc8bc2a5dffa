"""A coroutine that is stepped by hand, and that libraries see as a task of asyncio.

Middleware that holds a response back needs the application to pause in the middle of a `send`. Two tasks with a queue
take 100 µs and more for that, and give the application another context.

While it runs, `asyncio.current_task()` is the fiber. So cancel scopes, task groups and timeouts that the application
opens are the fiber's, and may stay open during a pause while the middleware opens and closes its own. asyncio asks a
foreign task to announce itself on entry and exit ("Extending" in Python's library reference); trio has no such thing.
"""

import asyncio
import contextvars
from collections.abc import Coroutine, Generator
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
        self.coroutine = coro

    @property
    def waits_for(self) -> Any:
        """The future that it waits for; None where it can run."""
        waiter = self._fut_waiter
        return None if waiter is None or waiter.done() else waiter

    def step(self, stepper: "asyncio.Task[Any]", loop: asyncio.AbstractEventLoop) -> None:
        """Run the coroutine up to its next pause, inside of the current task; raise what it raises."""
        error = self._arrived() if self._must_cancel or self._fut_waiter is not None else None
        leave_task(loop, stepper)
        enter_task(loop, self)
        try:
            resume: Any = self.coroutine.send if error is None else self.coroutine.throw
            seen = resume(error) if self.context is None else self.context.run(resume, error)
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
        self.coroutine.close()

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
        return self.coroutine

    def get_name(self) -> str:
        return f"Fiber-{id(self):x}"
