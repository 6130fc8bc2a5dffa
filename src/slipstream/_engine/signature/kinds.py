"""How a callable runs, looked at through partials, wrappers and callable objects."""

import dis
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType
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


def may_hold_scopes(call: Callable[..., Any]) -> bool:
    """Whether a generator may have a cancel scope or a task group open where it yields.

    It takes a `with` for that, a call that does what `with` does, or another generator that it steps
    through; whose code cannot be read may do anything.
    """
    codes = [getattr(face, "__code__", None) for face in _faces(call) if inspect.isroutine(face)]
    readable = [code for code in codes if code is not None]
    return not readable or any(map(_opens_something, readable))


_OPENING_CODES = frozenset(dis.opmap[name] for name in ("WITH_EXCEPT_START", "GET_AITER") if name in dis.opmap)
_OPENING_NAMES = frozenset(
    {"__aenter__", "__enter__", "enter_async_context", "enter_context", "__anext__", "anext", "asend"}
)


def _opens_something(code: CodeType) -> bool:
    return not _OPENING_CODES.isdisjoint(code.co_code[::2]) or not _OPENING_NAMES.isdisjoint(code.co_names)


def _faces(call: Any) -> Iterator[Any]:
    """Every function that may tell: the callable, what it wraps, and their `__call__`."""
    outer, inner = unpartial(call), unwrapped(call)
    for face in (outer,) if outer is inner else (outer, inner):
        yield face
        method = getattr(face, "__call__", None)  # noqa: B004 - the method itself is wanted
        if method is not None and not isinstance(face, FunctionType | type):
            yield unpartial(method)
            yield unwrapped(method)
