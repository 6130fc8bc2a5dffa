"""Worker threads of an asyncio loop: who makes which call, and how the loop hears that it is over.

A pool does what `anyio.to_thread.run_sync` does, for less. What code in a worker, or around it, can see is anyio's: the
limiter and who holds its tokens, `anyio.from_thread`, context variables, cancellation, when the threads end. Parts of
that have no public name (`anyio_private.py`). Where one of them is not what we know, and off asyncio, there is no pool,
and `threads.py` leaves everything to anyio.

Costs are saved in two places. A call is put into a queue, and one worker is woken; whoever takes a call and sees more
of them wakes the next worker first. So a call that blocks never holds up another, and quick ones are made by a thread
that is awake already. And what is over is told to the loop in one message, as much as there is by then.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from threading import Lock, Thread
from typing import Any, TypeVar

import anyio
from anyio.lowlevel import checkpoint
from anyio.to_thread import current_default_thread_limiter

from slipstream._engine.runtime.anyio_private import probe, root_task, scope_of, work_in, worker_of

try:
    from sniffio import current_async_library_cvar as _library
except ImportError:  # nobody notes in a variable which library runs
    _library = ContextVar("_library", default=None)

T = TypeVar("T")

IDLE_S = 10.0
"""How long a worker waits for work before it ends, in seconds."""


class NotMade(asyncio.CancelledError):
    """A call was not made: the task that would have waited for it has been cancelled before."""


class NotTaken(Exception):
    """A call was not made: the pool has no worker for it, and never will."""


class Job:
    """One call on its way through a worker."""

    __slots__ = ("call", "context", "error", "is_begun", "is_cancelled", "is_over", "result", "scope", "waiter")

    def __init__(self, call: Callable[..., Any], scope: Any, waiter: "asyncio.Future[None]") -> None:
        self.call = call
        self.scope = scope
        self.waiter = waiter
        self.context = copy_context()
        if _library.get() is not None:
            self.context.run(_library.set, None)  # in a worker, none runs
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_begun = False
        self.is_over = False
        self.is_cancelled = False

    def make(self) -> None:
        """Make the call, in a worker; the outcome is kept."""
        work_in(self.scope)
        self.is_begun = True
        try:
            self.result = self.context.run(self.begin)
        except StopIteration as exc:
            self.error = RuntimeError("coroutine raised StopIteration")
            self.error.__cause__ = exc
        except BaseException as exc:
            self.error = exc
        finally:
            work_in(None)

    def begin(self) -> Any:
        """Call, in the job's context."""
        if self.is_cancelled:
            raise NotMade
        return self.call()

    def outcome(self) -> Any:
        """Return what the call returned, or raise what it raised."""
        if self.error is None:
            return self.result
        try:
            raise self.error
        finally:
            self.error = None  # the exception's traceback leads here: no circle


class Row(Job):
    """Calls that one function makes, one after the other, by the `each` that it is given."""

    __slots__ = ()

    def begin(self) -> Any:
        """Call the function, in the job's context."""
        return self.call(self.each)

    def each(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Make the next call, in a context of its own, unless the task that waits has been cancelled."""
        if self.is_cancelled:
            raise NotMade
        return copy_context().run(call, *args, **kwargs)


class Pool:
    """The workers of one event loop, for as long as its root task runs.

    Attributes that the loop and the workers share are touched by single operations on built-in types only, which are
    atomic. Flags that say "somebody is about to look" are taken back before looking, so what comes in between is seen.
    """

    is_possible = True
    """Whether this process can have pools; False from the first failure of one on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.limiter = current_default_thread_limiter()
        self.is_closed = False
        self._jobs: deque[Job] = deque()
        self._over: deque[Job] = deque()
        self._idle: list[Lock] = []
        """Bells of the workers that wait, the last to begin at the end."""
        self._is_waking = False
        self._is_telling = False

    async def run(self, call: Callable[..., T], *, is_row: bool = False, is_cleanup: bool = False) -> T:
        """Call in a worker and wait for the result.

        As under anyio, the task waits until the call is over if a scope cancels it, and leaves at once if `Task.cancel`
        does.

        Args:
            is_row: Give it a function that makes the calls of a row.
            is_cleanup: Call whatever scope is cancelled, and without a token of the limiter: clean-up must not wait
                behind the calls that need what it gives back.

        Raises:
            NotTaken: The workers have failed, or whoever waits is none of asyncio's tasks; the call was not made, and
                no token is held.
        """
        task = asyncio.current_task(self.loop)
        if task is None:  # trio as a guest of asyncio
            raise NotTaken
        scope = scope_of(task)
        if not is_cleanup:
            if scope is not None or task.cancelling():
                await checkpoint()
            try:
                self.limiter.acquire_on_behalf_of_nowait(task)
            except anyio.WouldBlock:
                await self.limiter.acquire_on_behalf_of(task)
        try:
            job = (Row if is_row else Job)(call, scope, self.loop.create_future())
            self._submit(job)
            reason = None
            try:
                await job.waiter
            except asyncio.CancelledError as exc:
                is_by_scope = anyio.current_effective_deadline() == -math.inf
                job.is_cancelled = not (is_by_scope and is_cleanup)
                if not is_by_scope:
                    raise
                reason = exc.args
            if reason is not None:
                # Not where the cancellation is handled: a later one by `Task.cancel` would have it as its context, and
                # before 4.16 anyio takes an error with such a context for its own and keeps it in the scope.
                await self._outwait(job)
                if isinstance(job.error, NotMade | NotTaken) and not is_cleanup:
                    raise asyncio.CancelledError(*reason)
            result: T = job.outcome()
            return result
        finally:
            if not is_cleanup:
                self.limiter.release_on_behalf_of(task)

    async def _outwait(self, job: Job) -> None:
        """Wait until a call is over, whatever scope is cancelled."""
        with anyio.CancelScope(shield=True):
            while not job.is_over:
                job.waiter = self.loop.create_future()
                await job.waiter

    def _submit(self, job: Job) -> None:
        if not Pool.is_possible:
            raise NotTaken
        self._jobs.append(job)
        if self._is_waking:
            return
        try:
            self._wake()
        except RuntimeError:  # no thread can be started
            self._jobs.remove(job)
            raise

    def _wake(self) -> None:
        """See to it that a worker looks for work."""
        self._is_waking = True
        try:
            bell = self._idle.pop()
        except IndexError:
            try:
                Thread(target=self._work, name="slipstream worker").start()
            except RuntimeError:
                self._is_waking = False
                raise
        else:
            bell.release()

    def _work(self) -> None:
        """Make calls until there are none for long, in a thread; if it cannot, hand back those that wait."""
        try:
            with worker_of(self.loop):
                self._is_waking = False
                self._make_calls()
        except BaseException as exc:
            _disable(exc)
            self._call_in_loop(self._hand_back)

    def _make_calls(self) -> None:
        bell = Lock()
        bell.acquire()
        while True:
            try:
                job = self._jobs.popleft()
            except IndexError:
                if not self._wait(bell):
                    return
                continue
            try:
                if self._jobs and not self._is_waking:
                    try:
                        self._wake()
                    except RuntimeError:
                        pass  # no more threads: those that there are will come round to it
                job.make()
            finally:
                if job.is_begun:
                    self._report(job)
                else:
                    self._jobs.appendleft(job)
            del job  # and with it, all that hangs on the call

    def _wait(self, bell: Lock) -> bool:
        """Wait for the bell; False if no more work is to be expected."""
        self._idle.append(bell)
        if self._jobs or self.is_closed or not bell.acquire(timeout=IDLE_S):
            try:
                self._idle.remove(bell)
            except ValueError:
                bell.acquire()  # somebody has just decided to ring
            else:
                return bool(self._jobs)
        self._is_waking = False
        return bool(self._jobs) or not self.is_closed

    def _report(self, job: Job) -> None:
        """Tell the loop, from a worker, unless it is about to look."""
        self._over.append(job)
        if self._is_telling:
            return
        self._is_telling = True
        self._call_in_loop(self._settle)

    def _call_in_loop(self, callback: Callable[[], None]) -> None:
        try:
            self.loop.call_soon_threadsafe(callback)
        except RuntimeError:
            pass  # the loop is closed, and nobody waits

    def _settle(self) -> None:
        """Let those go on, in the loop, whose calls are over."""
        self._is_telling = False
        while self._over:
            job = self._over.popleft()
            job.is_over = True
            if not job.waiter.done():
                job.waiter.set_result(None)

    def _hand_back(self) -> None:
        """Let those go on, in the loop, whose calls no worker has taken."""
        while self._jobs:
            try:
                job = self._jobs.popleft()
            except IndexError:  # a worker that is left took it
                break
            job.error = NotTaken()
            self._over.append(job)
        self._settle()
        self.close()

    def close(self, root: object = None) -> None:
        """Let workers end as soon as there is nothing to do."""
        self.is_closed = True
        if _pools.get(self.loop) is self:
            del _pools[self.loop]
        while self._idle:
            try:
                self._idle.pop().release()
            except IndexError:
                pass  # it ended by itself


_pools: dict[asyncio.AbstractEventLoop, Pool] = {}
"""By running loop; each leaves when its root task ends."""
_switching = Lock()


def current_pool() -> Pool | None:
    """Find or open the pool of the running loop; None where there cannot be one."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # trio
        return None
    pool = _pools.get(loop)
    if pool is not None or not Pool.is_possible or asyncio.current_task() is None:  # trio as a guest of asyncio
        return pool
    return _open_pool(loop)


def _open_pool(loop: asyncio.AbstractEventLoop) -> Pool | None:
    pool = Pool(loop)
    try:
        probe()
        root_task().add_done_callback(pool.close, context=Context())
    except Exception as exc:
        _disable(exc)
        return None
    _pools[loop] = pool
    return pool


def _disable(reason: BaseException) -> None:
    """Open no more pools in this process, and take no more calls; logged once."""
    with _switching:
        was_possible, Pool.is_possible = Pool.is_possible, False
    if was_possible:
        logging.getLogger("slipstream").warning(
            "sync calls go through anyio's threads: slipstream's own pool cannot work with this anyio (%r)", reason
        )
