"""Calls users' functions, async or sync."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool


def is_async(function: Any) -> bool:
    """Whether a call returns a coroutine; also for partials and for objects with an async `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.iscoroutinefunction(function):
        return True
    return callable(function) and inspect.iscoroutinefunction(function.__call__)


async def call_anywhere(function: Callable[..., Any], *args: Any) -> Any:
    """Await an async function, or run a sync function in a worker thread; return the result."""
    if is_async(function):
        return await function(*args)
    return await run_in_threadpool(function, *args)
