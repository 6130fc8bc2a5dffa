"""Worker threads of an asyncio loop: they take calls from one queue and put finished ones into another.

A pool does what `anyio.to_thread.run_sync` does, at less cost (docs/design/0013). A new call wakes one worker; a worker
that takes a call and sees more in the queue first wakes the next worker. So a call that blocks delays no other, and
short calls run in a thread that is awake already. The loop is woken once for all calls that are finished by then.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any, TypeVar

import anyio
from anyio.lowlevel import checkpoint
from anyio.to_thread import current_default_thread_limiter

from slipstream._foreign.anyio import probe, root_task, scope_of, work_in, worker_of

try:
    from sniffio import current_async_library_cvar as _library
except ImportError:  # then no variable names the running library
    _library = ContextVar("_library", default=None)

T = TypeVar("T")

IDLE_S = 10.0
"""How long a worker waits for work before it ends, in seconds."""


class NotMade(asyncio.CancelledError):
    """A call was not made: its task was cancelled first."""


class NotTaken(Exception):
    """A call was not made: no worker will take it."""


@dataclass(eq=False, slots=True)
class Job:
    """One call for a worker; with `is_row`, a function that makes several calls by the `each` that it is given."""

    call: Callable[..., Any]
    scope: Any
    waiter: "asyncio.Future[None]"
    is_row: bool
    context: Context = field(default_factory=copy_context)
    result: Any = None
    error: BaseException | None = None
    is_begun: bool = False
    is_over: bool = False
    is_cancelled: bool = False

    def __post_init__(self) -> None:
        if _library.get() is not None:
            self.context.run(_library.set, None)  # no async library runs in a worker

    def make(self) -> None:
        work_in(self.scope)
        self.is_begun = True
        try:
            if self.is_cancelled:
                raise NotMade
            self.result = self.context.run(self.call, self._each) if self.is_row else self.context.run(self.call)
        except StopIteration as exc:
            self.error = RuntimeError("coroutine raised StopIteration")
            self.error.__cause__ = exc
        except BaseException as exc:
            self.error = exc
        finally:
            work_in(None)

    def _each(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Make the next call of a row, in a context of its own, unless the task has been cancelled."""
        if self.is_cancelled:
            raise NotMade
        return copy_context().run(call, *args, **kwargs)

    def outcome(self) -> Any:
        if self.error is None:
            return self.result
        try:
            raise self.error
        finally:
            self.error = None  # its traceback refers to this job: that would be a cycle


class Pool:
    """The workers of one event loop, for as long as its root task runs.

    The loop and the workers use shared attributes by single operations on built-in types only, which are atomic.
    `_is_waking` and `_is_reporting` say that a thread is about to look into a queue; it clears the flag before it
    looks, so that it sees what is added meanwhile.
    """

    is_possible = True
    """Whether this process can have pools; False after the first failure of a pool."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.limiter = current_default_thread_limiter()
        self.is_closed = False
        self._jobs: deque[Job] = deque()
        self._over: deque[Job] = deque()
        self._idle: list[Lock] = []
        """Locks that wake the idle workers, the latest worker last."""
        self._is_waking = False
        self._is_reporting = False

    async def run(self, call: Callable[..., T], *, is_row: bool = False, is_cleanup: bool = False) -> T:
        """Call in a worker and wait for the result; a task that is cancelled by a scope waits until the call is over.

        With `is_row`, `call` gets a function that makes the calls of a row. With `is_cleanup` it is made in a cancelled
        scope too, and without a token of the limiter: calls that hold the tokens may be waiting for what it gives back.
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
            job = Job(call, scope, self.loop.create_future(), is_row)
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
                with anyio.CancelScope(shield=True):
                    while not job.is_over:
                        job.waiter = self.loop.create_future()
                        await job.waiter
                if isinstance(job.error, NotMade | NotTaken) and not is_cleanup:
                    raise asyncio.CancelledError(*reason)
            result: T = job.outcome()
            return result
        finally:
            if not is_cleanup:
                self.limiter.release_on_behalf_of(task)

    def _submit(self, job: Job) -> None:
        if not Pool.is_possible:
            raise NotTaken
        self._jobs.append(job)
        if not self._is_waking:
            try:
                self._wake()
            except RuntimeError:  # no thread can be started
                self._jobs.remove(job)
                raise

    def _wake(self) -> None:
        """Wake an idle worker, or start one."""
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
        """Make calls, in a thread, until none has come for `IDLE_S`; on failure, hand the queue back to the loop."""
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
                    with suppress(RuntimeError):  # no further thread can be started: those that run take the rest
                        self._wake()
                job.make()
            finally:
                if job.is_begun:
                    self._over.append(job)
                    if not self._is_reporting:  # then the loop is not about to look
                        self._is_reporting = True
                        self._call_in_loop(self._settle)
                else:
                    self._jobs.appendleft(job)
            del job  # an idle worker must not keep the call's objects alive

    def _wait(self, bell: Lock) -> bool:
        """Wait until there may be work; return False if this worker is to end."""
        self._idle.append(bell)
        if self._jobs or self.is_closed or not bell.acquire(timeout=IDLE_S):
            try:
                self._idle.remove(bell)
            except ValueError:
                bell.acquire()  # another thread has taken this bell and is about to release it
            else:
                return bool(self._jobs)
        self._is_waking = False
        return bool(self._jobs) or not self.is_closed

    def _call_in_loop(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed, so no task waits
            self.loop.call_soon_threadsafe(callback)

    def _settle(self) -> None:
        """Wake the tasks, in the loop, whose calls are over."""
        self._is_reporting = False
        while self._over:
            job = self._over.popleft()
            job.is_over = True
            if not job.waiter.done():
                job.waiter.set_result(None)

    def _hand_back(self) -> None:
        """Wake the tasks, in the loop, whose calls no worker has taken."""
        with suppress(IndexError):  # until the queue is empty
            while True:
                job = self._jobs.popleft()
                job.error = NotTaken()
                self._over.append(job)
        self._settle()
        self.close()

    def close(self, root: object = None) -> None:
        """Let workers end as soon as the queue is empty."""
        self.is_closed = True
        if _pools.get(self.loop) is self:
            del _pools[self.loop]
        while self._idle:
            with suppress(IndexError):  # the worker ended meanwhile
                self._idle.pop().release()


_pools: dict[asyncio.AbstractEventLoop, Pool] = {}
"""By running loop; a pool is removed when its root task ends."""
_switching = Lock()


def current_pool() -> Pool | None:
    """Return the pool of the running loop, opened if there is none yet; None where there cannot be one."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # trio
        return None
    pool = _pools.get(loop)
    if pool is not None or not Pool.is_possible or asyncio.current_task() is None:  # trio as a guest of asyncio
        return pool
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
