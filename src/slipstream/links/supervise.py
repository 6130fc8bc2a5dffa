"""One task group that owns whatever a link runs, and the loop that keeps a dialled link up."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from slipstream.exceptions import SlipstreamError
from slipstream.links import state
from slipstream.links.errors import ends_task
from slipstream.links.link import Link
from slipstream.links.redact import printable, told
from slipstream.links.rules import Failure, Schedule, Stop
from slipstream.links.state import LinkState

logger = logging.getLogger("slipstream.links")

T = TypeVar("T")


class Supervisor:
    """Owns the tasks of all links: each is referenced until its end, and none ends unseen."""

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
        # Not told what the body raises, the group does not wrap it: no task beneath has an exception to add.
        await group.__aexit__(None, None, None)

    def spawn(
        self, work: Coroutine[Any, Any, Any], name: str, on_error: Callable[[BaseException], Any] | None = None
    ) -> "asyncio.Task[Any]":
        """Run a coroutine; what it raises goes to `on_error`, or to the log, and reaches nobody else."""
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
    """Attempt, wait, attempt again, until the link is told to stop; `Link.restart` cuts short whichever it is.

    Args:
        link: The link.
        attempt: Connects, brings the link up, works until the connection ends, and tells why; tells the schedule
            which back-off its setup asks for.
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
            failure = Failure("error", told(error), side="us")
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


async def _revived(link: Link) -> Failure | None:
    await link.revival.wait()
    return None


async def _rest(link: Link, seconds: float) -> None:
    """Wait, or less if somebody says so."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    await first_of(link.clock.sleep(seconds), link.revival.wait())


async def asked(source: Any, kind: type[T], link: Link) -> T | Failure:
    """Give a setup, or ask the function that stands in its place; tell as data why there is none."""
    if isinstance(source, kind):
        return source
    limit = link.options.setup_timeout
    deadline = asyncio.timeout(limit)
    try:
        async with deadline:
            setup = source()
            setup = await setup if isinstance(setup, Awaitable) else setup
    except SlipstreamError as error:
        reason = printable(str(error).partition("\n")[0])
    except BaseException as error:
        if ends_task(error):
            raise
        if deadline.expired():
            reason = f"the function gave none within {limit:g} seconds"
        else:
            logger.exception("link %s: the function that is asked for a setup failed", link.name)
            reason = type(error).__name__
    else:
        if isinstance(setup, kind):
            return setup
        reason = f"the function gave {type(setup).__name__}, expected {kind.__name__}"
    return Failure("setup", f"the setup could not be made: {reason}", side="us")


async def first_of(*works: Coroutine[Any, Any, T]) -> T:
    """Run coroutines together until the first ends; cancel the others, wait for them, return what the first said.

    Of several that end at once, the one that is named first counts. If we are cancelled, it is by the exception that
    came: a cancel scope of anyio knows its own by what they say, and takes no other for its end.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        first = next(task for task in tasks if task.done())
    finally:
        await _end(tasks)
    return first.result()


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks, once, and wait until all of them have ended, though we be cancelled meanwhile."""
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
            task.exception()  # seen: what the others raise at their end is nobody's
    if cancelled is not None:
        raise cancelled
