"""Running what blocks in worker threads: calls, and generators that are `yield` dependencies."""

from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextvars import copy_context
from functools import cache, partial
from importlib import import_module
from typing import Any, TypeAlias, TypeVar

import anyio.from_thread
import anyio.to_thread
from anyio import CapacityLimiter

from slipstream._engine.runtime.cleanup import not_yielded

T = TypeVar("T")

Each: TypeAlias = Callable[..., Any]
"""Makes one of several calls that share a hop: `each(function, *args, **kwargs)`."""


@cache
def _pools() -> Any:
    """Load the pool when it is first needed: anyio's asyncio back end, on which it stands, takes 20 ms to import."""
    return import_module("slipstream._engine.runtime.pool")


async def in_thread(call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call in a worker thread, context variables carried along, and wait for the result."""
    return await _in_worker(partial(call, *args, **kwargs) if args or kwargs else call)


async def in_one_thread(calls: Callable[[Each], T]) -> T:
    """Make several calls in one worker thread, as if each had a hop of its own, and wait for what comes of them.

    Args:
        calls: Makes them by the function that it is given. A context variable that one of them sets is not seen by the
            next, and once the waiting task is cancelled no further call is made.
    """
    pool = _pools().current_pool()
    if pool is None:
        return await anyio.to_thread.run_sync(calls, _each)
    result: T = await pool.run(calls, kind=_pools().Row)
    return result


def _each(call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    anyio.from_thread.check_cancelled()
    return copy_context().run(call, *args, **kwargs)


async def _in_worker(call: Callable[[], T]) -> T:
    pool = _pools().current_pool()
    return await (anyio.to_thread.run_sync(call) if pool is None else pool.run(call))


async def _clean_up(call: Callable[[], T]) -> T:
    """Call in a worker, whatever scope is cancelled, and without a token: nothing that needs it has to end before."""
    pool = _pools().current_pool()
    if pool is not None:
        result: T = await pool.run(call, is_cleanup=True)
        return result
    with anyio.CancelScope(shield=True):
        result = await anyio.to_thread.run_sync(call, limiter=CapacityLimiter(1))
    return result


_END = object()


class ThreadGenerator:
    """A blocking generator that steps in worker threads, with the face of an async one."""

    __slots__ = ("generator",)

    def __init__(self, generator: Generator[Any, Any, Any]) -> None:
        self.generator = generator

    async def __anext__(self) -> Any:
        """Take the first step."""
        return await _in_worker(self.enter)

    def enter(self) -> Any:
        """Take the first step, where one is in a worker."""
        value = self._next()
        if value is _END:
            raise not_yielded(self.generator)
        return value

    async def athrow(self, exc: BaseException) -> Any:
        """Throw an exception in where it yielded."""
        value = await _clean_up(partial(self._throw, exc))
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
        """Run to the end."""
        if await _clean_up(self._next) is not _END:
            raise RuntimeError("generator didn't stop")


async def iterate(generator: Iterator[Any]) -> AsyncGenerator[Any]:
    """Step through a blocking generator from async code, and close it if it is left before its end."""
    step = partial(next, generator, _END)
    try:
        while (value := await _in_worker(step)) is not _END:
            yield value
    except BaseException:
        if hasattr(generator, "close"):
            await _clean_up(generator.close)
        raise
