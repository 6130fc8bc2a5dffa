"""How a callable runs, looked at through partials, wrappers and callable objects."""

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from slipstream._engine.types import CallKind

if sys.version_info >= (3, 13):
    from inspect import iscoroutinefunction
else:  # its marker of coroutine functions is not known to inspect before 3.13
    from asyncio import iscoroutinefunction


def unpartial(call: Any) -> Any:
    """Take `functools.partial` off, however deep."""
    while isinstance(call, partial):
        call = call.func
    return call


def unwrapped(call: Any) -> Any:
    """The function that the user wrote, beneath partials and `functools.wraps`."""
    return inspect.unwrap(unpartial(call))


def call_kind(call: Callable[..., Any]) -> CallKind:
    """Tell how to run a callable.

    A wrapper made with `functools.wraps` runs as what it wraps does.
    """
    faces = tuple(_faces(call))
    if any(inspect.isasyncgenfunction(face) for face in faces):
        return "async_gen"
    if any(inspect.isgeneratorfunction(face) for face in faces):
        return "gen"
    if any(iscoroutinefunction(face) for face in faces if inspect.isroutine(face)):
        return "async"
    return "sync"


def _faces(call: Any) -> Iterator[Any]:
    """Every function that may tell: the callable, what it wraps, and their `__call__`."""
    outer, inner = unpartial(call), unwrapped(call)
    yield outer
    yield inner
    if inspect.isclass(inner):
        return
    for owner in (outer, inner):
        method = getattr(owner, "__call__", None)  # noqa: B004 - the method itself is wanted
        if method is not None:
            yield unpartial(method)
            yield unwrapped(method)
