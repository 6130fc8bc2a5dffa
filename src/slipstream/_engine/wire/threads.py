"""Running what blocks in worker threads: calls, and generators that are `yield` dependencies."""

from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

from slipstream._engine.wire.pool import current_pool

T = TypeVar("T")


async def in_thread(call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call in a worker thread, context variables carried along, and wait for the result."""
    return await _in_worker(partial(call, *args, **kwargs) if args or kwargs else call)


async def _in_worker(call: Callable[[], T], *, is_limited: bool = True) -> T:
    """Call in a worker.

    Args:
        is_limited: Wait for a token of the default limiter. Clean-up does not: it would wait behind the calls that
            need what it gives back.
    """
    pool = current_pool()
    if pool is None:
        return await anyio.to_thread.run_sync(call, limiter=None if is_limited else CapacityLimiter(1))
    return await pool.run(call, is_limited=is_limited)


_END = object()


class ThreadGenerator:
    """A blocking generator that steps in worker threads, with the face of an async one."""

    __slots__ = ("generator",)

    def __init__(self, generator: Generator[Any, Any, Any]) -> None:
        self.generator = generator

    async def __anext__(self) -> Any:
        """Take one step."""
        value = await _in_worker(self._next)
        if value is _END:
            raise StopAsyncIteration
        return value

    async def athrow(self, exc: BaseException) -> Any:
        """Throw an exception in where it yielded."""
        value = await _in_worker(partial(self._throw, exc), is_limited=False)
        if value is _END:
            raise StopAsyncIteration
        return value

    def _next(self) -> Any:
        return next(self.generator, _END)

    def _throw(self, exc: BaseException) -> Any:
        try:
            return self.generator.throw(exc)
        except StopIteration:  # cannot cross a future
            return _END

    async def leave(self) -> None:
        """Run to the end; with a thread of its own, so that clean-up never waits behind the calls that need it."""
        if await _in_worker(self._next, is_limited=False) is not _END:
            raise RuntimeError("generator didn't stop")


async def iterate(generator: Iterator[Any]) -> AsyncGenerator[Any]:
    """Step through a blocking generator from async code, and close it if it is left before its end."""
    step = partial(next, generator, _END)
    try:
        while (value := await _in_worker(step)) is not _END:
            yield value
    except BaseException:
        if hasattr(generator, "close"):
            with anyio.CancelScope(shield=True):
                await _in_worker(generator.close)
        raise
