"""Blocking calls and blocking generators, run in worker threads."""

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from types import FunctionType
from typing import Any, TypeAlias, TypeVar

import anyio.from_thread
import anyio.to_thread
from anyio import CapacityLimiter
from starlette import concurrency
from starlette.concurrency import run_in_threadpool

from slipstream._engine.runtime.cleanup import not_stopped, not_yielded

T = TypeVar("T")

Each: TypeAlias = Callable[..., Any]
"""Makes one of several calls that share a hop: `each(function, *args, **kwargs)`."""

IS_REPLACED = type(run_in_threadpool) is not FunctionType or run_in_threadpool.__globals__ is not vars(concurrency)
"""Whether a tool had replaced Starlette's way into a worker thread before it was imported here: it is taken then."""


@cache
def _pools() -> Any:
    """Import the pool when it is first needed: it imports anyio's asyncio back end, which takes 20 ms."""
    return import_module("slipstream._engine.runtime.pool")


def in_thread(call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, T]:
    """Call in a worker thread, in a copy of the context, and wait for the result."""
    return _in_worker(partial(call, *args, **kwargs) if args or kwargs else call)


def in_one_thread(calls: Callable[[Each], T]) -> Coroutine[Any, Any, T]:
    """Make calls in one worker thread by the `each` that `calls` gets, as if each had a hop of its own."""
    return _in_worker(calls, is_row=True)


def is_async(function: Any) -> bool:
    """Whether a call returns a coroutine; also for partials and for objects with an async `__call__`."""
    while isinstance(function, partial):
        function = function.func
    if inspect.iscoroutinefunction(function):
        return True
    return callable(function) and inspect.iscoroutinefunction(function.__call__)


async def call_anywhere(function: Callable[..., Any], *args: Any) -> Any:
    """Await an async function, or run a sync function in a worker thread; return the result."""
    if is_async(function):
        return await function(*args)
    return await run_in_threadpool(function, *args)


def _each(call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    anyio.from_thread.check_cancelled()
    return copy_context().run(call, *args, **kwargs)


async def _in_worker(call: Callable[..., T], *, is_row: bool = False, is_cleanup: bool = False) -> T:
    """Call in a worker of the pool, or of anyio where there is no pool; see `Pool.run`."""
    is_taken = IS_REPLACED and not is_cleanup
    pool = None if is_taken else _pools().current_pool()
    if pool is not None:
        try:
            return await pool.run(call, is_row=is_row, is_cleanup=is_cleanup)  # type: ignore[no-any-return]  # loaded late
        except _pools().NotTaken:
            pass
    if is_row:
        call = partial(call, _each)
    if is_taken:
        return await run_in_threadpool(call)
    limiter = CapacityLimiter(1) if is_cleanup else None
    with anyio.CancelScope(shield=True) if is_cleanup else nullcontext():
        result = await anyio.to_thread.run_sync(call, limiter=limiter)
    return result


_END = object()


@dataclass(eq=False, slots=True)
class ThreadGenerator:
    """A blocking generator that steps in worker threads, with the methods that clean-up uses of async generators."""

    generator: Generator[Any, Any, Any]

    async def __anext__(self) -> Any:
        return await _in_worker(self.enter)

    def enter(self) -> Any:
        """Run to the first `yield`, in a worker."""
        value = next(self.generator, _END)
        if value is _END:
            raise not_yielded(self.generator)
        return value

    async def athrow(self, exc: BaseException) -> Any:
        value = await _in_worker(partial(self._throw, exc), is_cleanup=True)
        if value is _END:
            raise StopAsyncIteration
        return value

    def _throw(self, exc: BaseException) -> Any:
        try:
            return self.generator.throw(exc)
        except StopIteration:  # cannot be set on a future
            return _END

    async def leave(self) -> None:
        if await _in_worker(partial(next, self.generator, _END), is_cleanup=True) is not _END:
            raise not_stopped()


async def iterate(generator: Iterator[Any]) -> AsyncGenerator[Any]:
    """Iterate a blocking generator from async code, and close it if the iteration ends early."""
    step = partial(next, generator, _END)
    try:
        while (value := await _in_worker(step)) is not _END:
            yield value
    except BaseException:
        if hasattr(generator, "close"):
            await _in_worker(generator.close, is_cleanup=True)
        raise
