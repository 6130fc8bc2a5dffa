"""Work in threads, and bounds on how much of it runs at once."""

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager as asynccontextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar
from starlette.concurrency import (
    iterate_in_threadpool as iterate_in_threadpool,
    run_in_threadpool as run_in_threadpool,
    run_until_first_complete as run_until_first_complete,
)

T = TypeVar("T")


@asynccontextmanager
async def contextmanager_in_threadpool(cm: AbstractContextManager[T]) -> AsyncGenerator[T, None]:
    """Enter and leave a blocking context manager in worker threads, also when the request is cancelled.

    Leaving never waits for a free worker of the shared pool: were all of them blocked on what this
    context manager holds (a pooled connection, say), nobody could ever let go of it.
    """

    async def leave(*failure: Any) -> bool | None:
        with anyio.CancelScope(shield=True):
            swallows = await anyio.to_thread.run_sync(cm.__exit__, *failure, limiter=anyio.CapacityLimiter(1))
        return swallows

    value = await run_in_threadpool(cm.__enter__)
    async with AsyncExitStack() as stack:
        stack.push_async_exit(leave)
        yield value


class ConcurrencyLimit:
    """A bound on simultaneous calls, at least 1, counted apart in each event loop."""

    def __init__(self, max_concurrency: int) -> None:
        self.max_concurrency = max_concurrency

    def get_semaphore(self) -> anyio.Semaphore:
        """Return this limit's semaphore in the running event loop, made on first use."""
        semaphores = _semaphores.get(None)
        if semaphores is None:
            semaphores = WeakKeyDictionary()
            _semaphores.set(semaphores)
        semaphore = semaphores.get(self)
        if semaphore is None:
            semaphore = semaphores[self] = anyio.Semaphore(self.max_concurrency)
        return semaphore


# Weak, so that a limit and its semaphores go when its declaration goes, however long the loop runs.
_semaphores: RunVar[WeakKeyDictionary[ConcurrencyLimit, anyio.Semaphore]] = RunVar("slipstream_semaphores")
