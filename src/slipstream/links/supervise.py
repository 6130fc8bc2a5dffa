"""What runs the tasks of links, and what the links of a program share."""

import asyncio
import inspect
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context, ContextVar
from functools import partial
from itertools import count
from typing import Any, TypeVar

from slipstream.links.errors import ends_task, logger
from slipstream.links.rules import Random, Turnstile
from slipstream.links.state import Clock

T = TypeVar("T")

working_for: ContextVar[object] = ContextVar("working_for", default=None)
"""The link for which the current task runs a handler, a hook, or a function that is asked for a setup."""


class Home:
    """What the links of a program share; it runs their tasks, refers to each until its end, and logs its error."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self.clock, self.random, self.turnstile = clock, random, Turnstile()
        self.app: Any = None
        """Its `dependency_overrides` hold for handlers."""
        self.lifespan_state: Mapping[str, Any] = {}
        """What the application's start-up left."""
        self.numbers: Mapping[str, Iterator[int]] = defaultdict(partial(count, 1))
        """Numbers for the connections of each link, by its name."""
        self.dialling = 0
        """How many links dial."""
        self.hooks: list[Callable[..., Any]] = []
        """Called with each link whose state changes, its old status and its new one."""
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_running(self) -> bool:
        """Whether the links have been started, and tasks can be."""
        return self._group is not None

    @asynccontextmanager
    async def supervised(self) -> AsyncGenerator[None, None]:
        """Run tasks while the context is open; then cancel those that are left, and wait for them."""
        group = self._group = await asyncio.TaskGroup().__aenter__()
        try:
            yield
        finally:
            self._group = None
            for task in self._tasks:
                task.cancel()
            # The group gets no exception of the body, which it would wrap: its own tasks raise none.
            await group.__aexit__(None, None, None)

    def spawn(
        self,
        work: Awaitable[Any],
        name: str,
        on_error: Callable[[BaseException], Any] | None = None,
        link: object = None,
        context: Context | None = None,
    ) -> "asyncio.Task[Any]":
        """Await something in a task, for a link (see `working_for`); give its error to `on_error`, or else log it."""

        def end(task: object) -> None:
            self._tasks.discard(task)
            if inspect.iscoroutine(work):  # a task that is cancelled before its first step runs nothing
                work.close()

        async def guarded() -> Any:
            if link is not None:
                working_for.set(link)
            try:
                return await work
            except BaseException as error:
                if ends_task(error):
                    raise
                try:
                    if on_error is not None:
                        return on_error(error)
                except RuntimeError:  # what it wants to start can no longer be started
                    pass
                logger.error("%s ended with an exception", name, exc_info=error)

        if self._group is None:
            end(None)
            raise RuntimeError("the supervisor is not running")
        task = self._group.create_task(guarded(), name=name, context=context)
        self._tasks.add(task)
        task.add_done_callback(end)
        return task


class Restart:
    """Ends what a task waits for, when it is set; it stays set until `clear`."""

    __slots__ = ("_deadline", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        self._deadline: asyncio.Timeout | None = None

    def set(self) -> None:
        """End it, and what is waited for from now on."""
        self.is_set = True
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(0)

    def clear(self) -> None:
        """Let the task wait again."""
        self.is_set = False

    async def over(self, work: Awaitable[T]) -> T | None:
        """Await something and return its result, or cancel it and return None if this is set before its end."""
        deadline = self._deadline = asyncio.timeout(0 if self.is_set else None)
        try:
            async with deadline:
                return await work
        except TimeoutError:
            if not deadline.expired():
                raise
            return None
        finally:
            self._deadline = None

    async def wait(self) -> None:
        """Wait until this is set."""
        await self.over(asyncio.get_running_loop().create_future())


async def first_of(*works: Awaitable[T | None]) -> T:
    """Run coroutines until one returns something; cancel the others, wait for their ends, and return the result.

    One that returns None has nothing to say, and the others go on. If several end at once, the first argument of them
    counts. If this task is cancelled, that exception itself is raised: a cancel scope of anyio recognizes its own by
    the message.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    running, found = set(tasks), None
    try:
        while found is None:
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            found = next((result for task in tasks if task.done() and (result := task.result()) is not None), None)
    finally:
        await _end(tasks)
    return found


async def _end(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel tasks once, and wait until all have ended, even if this task is cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    for task in tasks:
        task.cancel()
    while running := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen: it is not logged
    if cancelled is not None:
        raise cancelled
