"""The task group that runs all tasks of links, and the loop that keeps a dialled link up."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from slipstream.links import state
from slipstream.links.errors import ends_task
from slipstream.links.link import Link
from slipstream.links.redact import described
from slipstream.links.rules import Failure, Schedule, Stop
from slipstream.links.state import LinkState

logger = logging.getLogger("slipstream.links")

T = TypeVar("T")


class Supervisor:
    """Runs the tasks of all links, refers to each until its end, and logs its error."""

    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_running(self) -> bool:
        """Whether tasks can be started."""
        return self._group is not None

    async def __aenter__(self) -> None:
        self._group = await asyncio.TaskGroup().__aenter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        group, self._group = self._group, None
        assert group is not None
        for task in self._tasks:
            task.cancel()
        # The group gets no exception of the body, which it would wrap: its own tasks raise none.
        await group.__aexit__(None, None, None)

    def spawn(
        self, work: Coroutine[Any, Any, Any], name: str, on_error: Callable[[BaseException], Any] | None = None
    ) -> "asyncio.Task[Any]":
        """Run a coroutine; give its error to `on_error`, or else log it."""
        if self._group is None:
            work.close()
            raise RuntimeError("the supervisor is not running")
        task = self._group.create_task(_guarded(work, name, on_error), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # a task that is cancelled before its first step runs nothing
        return task


async def _guarded(
    work: Coroutine[Any, Any, T], name: str, on_error: Callable[[BaseException], Any] | None = None
) -> T | None:
    try:
        return await work
    except BaseException as error:
        if ends_task(error):
            raise
        try:
            if on_error is not None:
                on_error(error)
                return None
        except RuntimeError:  # what it wants to start can no longer be started
            pass
        logger.error("%s ended with an exception", name, exc_info=error)
        return None


async def keep_up(link: Link, attempt: Callable[[Schedule], Coroutine[Any, Any, Failure | None]]) -> None:
    """Attempt, wait, attempt again, until the link is stopped; `Link.restart` ends an attempt or a wait.

    Args:
        link: The link.
        attempt: Connects, brings the link up, returns why the connection has ended; sets the schedule's back-off.
    """
    schedule = Schedule(link.options.backoff, link.options.fatal, link.home.random)
    clock = link.clock
    while True:
        link.revival.clear()
        link.move(state.connecting(link.status, clock.now()))
        link.counters.attempts += 1
        try:
            failure = await first_of(attempt(schedule), _revived(link))
        except BaseException as error:
            if ends_task(error):
                raise
            logger.exception("link %s: an attempt failed in a way nobody foresaw", link.name)
            failure = unforeseen(error)
        if link.is_stopping:
            break
        if failure is None:
            schedule.reset()
            continue
        now = clock.now()
        was_up = link.status.state is LinkState.UP
        verdict = schedule.after(failure, now.monotonic - link.status.since.monotonic if was_up else None)
        if isinstance(verdict, Stop):
            link.move(state.failed(link.status, now, verdict.reason, failure))
            await link.revival.wait()
            schedule.reset()
            continue
        link.move(state.backing_off(link.status, now, failure, verdict.wait))
        await _rest(link, verdict.wait)
        if (links := link.home.dialling()) > 1 and not link.revival.is_set():
            await _rest(link, link.home.turnstile.admit(clock.now().monotonic, links))


def unforeseen(error: BaseException) -> Failure:
    """Describe an error that no attempt should raise."""
    return Failure("error", described(error), side="us")


async def _revived(link: Link) -> Failure | None:
    await link.revival.wait()
    return None


async def _rest(link: Link, seconds: float) -> None:
    """Wait, or less if the link is restarted."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    await first_of(link.clock.sleep(seconds), link.revival.wait())


async def first_of(*works: Coroutine[Any, Any, T]) -> T:
    """Run coroutines until the first ends; cancel the others, wait for their ends, and return the result of the first.

    If several end at once, the first argument of them counts. If this task is cancelled, that exception itself is
    raised: a cancel scope of anyio recognizes its own by the message.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        first = next(task for task in tasks if task.done())
    finally:
        await _end(tasks)
    return first.result()


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
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
