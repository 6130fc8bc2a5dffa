"""Running what blocks in worker threads: calls, and generators that are `yield` dependencies."""

from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

T = TypeVar("T")


async def in_thread(call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call in a worker thread, context variables carried along, and wait for the result."""
    return await anyio.to_thread.run_sync(
        partial(call, *args, **kwargs) if kwargs else call, *args if not kwargs else ()
    )


_END = object()


class ThreadGenerator:
    """A blocking generator that steps in worker threads, with the face of an async one."""

    __slots__ = ("generator",)

    def __init__(self, generator: Generator[Any, Any, Any]) -> None:
        self.generator = generator

    async def __anext__(self) -> Any:
        """Take one step."""
        value = await anyio.to_thread.run_sync(next, self.generator, _END)
        if value is _END:
            raise StopAsyncIteration
        return value

    async def athrow(self, exc: BaseException) -> Any:
        """Throw an exception in where it yielded."""
        value = await anyio.to_thread.run_sync(self._throw, exc, limiter=CapacityLimiter(1))
        if value is _END:
            raise StopAsyncIteration
        return value

    def _throw(self, exc: BaseException) -> Any:
        try:
            return self.generator.throw(exc)
        except StopIteration:  # cannot cross a future
            return _END

    async def leave(self) -> None:
        """Run to the end; with a thread of its own, so that clean-up never waits behind the calls that need it."""
        value = await anyio.to_thread.run_sync(next, self.generator, _END, limiter=CapacityLimiter(1))
        if value is not _END:
            raise RuntimeError("generator didn't stop")


async def iterate(generator: Iterator[Any]) -> AsyncGenerator[Any]:
    """Step through a blocking generator from async code, and close it if it is left before its end."""
    try:
        while (value := await anyio.to_thread.run_sync(next, generator, _END)) is not _END:
            yield value
    except BaseException:
        if hasattr(generator, "close"):
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(generator.close)
        raise
