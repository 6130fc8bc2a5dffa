"""How a callable runs, also if it is a partial, a wrapper or a callable object."""

import dis
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, get_origin

from slipstream._engine.types import CallKind

if sys.version_info >= (3, 13):
    from inspect import iscoroutinefunction
else:  # before 3.13, inspect does not know asyncio's marker of coroutine functions
    from asyncio import iscoroutinefunction


_RUNNING = inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR | inspect.CO_COROUTINE
_KINDS: dict[int, CallKind] = {
    inspect.CO_ASYNC_GENERATOR: "async_gen", inspect.CO_GENERATOR: "gen", inspect.CO_COROUTINE: "async",
}  # fmt: skip
"""How a function runs, by the flags of its code."""


def unpartial(call: Any) -> Any:
    """Return the callable inside any number of `functools.partial`."""
    while isinstance(call, partial):
        call = call.func
    return call


def unwrapped(call: Any) -> Any:
    """The function that the user wrote, beneath partials and `functools.wraps`; of `Class[int]` the class."""
    if isinstance(call, FunctionType) and not hasattr(call, "__wrapped__"):
        return call
    call = inspect.unwrap(unpartial(call))
    return get_origin(call) or call


def call_kind(call: Callable[..., Any]) -> CallKind:
    """Return how to run a callable; a wrapper made with `functools.wraps` runs as the wrapped callable does."""
    if isinstance(call, FunctionType) and not vars(call):  # else it may wrap another, or be marked as a coroutine's
        return _KINDS.get(call.__code__.co_flags & _RUNNING, "sync")
    variants = tuple(_variants(call))
    if any(inspect.isasyncgenfunction(variant) for variant in variants):
        return "async_gen"
    if any(inspect.isgeneratorfunction(variant) for variant in variants):
        return "gen"
    if any(iscoroutinefunction(variant) for variant in variants if inspect.isroutine(variant)):
        return "async"
    return "sync"


def may_hold_scopes(call: Callable[..., Any]) -> bool:
    """Whether a generator may have a cancel scope or a task group open where it yields.

    It may if it has a `with`, calls a method that enters a context, or steps through another generator; and if its code
    cannot be read.
    """
    codes = _codes(call)
    return not codes or any(map(_opens_something, codes))


def may_wait(call: Callable[..., Any]) -> bool:
    """Whether an async generator that holds no scopes may wait where it is closed: it has an `await`."""
    return any(not _WAITING_CODES.isdisjoint(code.co_code[::2]) for code in _codes(call))


def mentions(call: Callable[..., Any], name: str, depth: int = 2) -> bool:
    """Whether a callable's code has an attribute or a global of a name; or that of a function it names, so deep."""
    if any(name in code.co_names for code in _codes(call)):
        return True
    written = (one for one in _variants(call) if isinstance(one, FunctionType | MethodType))
    named = (each for one in written for each in _named(one) if isinstance(each, FunctionType))
    return depth > 0 and any(mentions(function, name, depth - 1) for function in named)


def _named(function: Any) -> Iterator[Any]:
    """Yield what a function or method reads: globals, attributes of modules and of `self`, variables around it."""
    names, cls = function.__code__.co_names, type(getattr(function, "__self__", None))
    read = [scope[name] for scope in (function.__globals__, *map(vars, cls.__mro__)) for name in names if name in scope]
    yield from read
    for module in read:
        if isinstance(module, ModuleType):
            yield from (vars(module).get(name) for name in names)
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # it is empty yet
            yield cell.cell_contents


def _codes(call: Callable[..., Any]) -> list[CodeType]:
    codes = [getattr(variant, "__code__", None) for variant in _variants(call) if inspect.isroutine(variant)]
    return [code for code in codes if code is not None]


_WAITING_CODES = frozenset({dis.opmap["GET_AWAITABLE"]})


_OPENING_CODES = frozenset(dis.opmap[name] for name in ("WITH_EXCEPT_START", "GET_AITER") if name in dis.opmap)
_OPENING_NAMES = frozenset(
    {"__aenter__", "__enter__", "enter_async_context", "enter_context", "__anext__", "anext", "asend"}
)


def _opens_something(code: CodeType) -> bool:
    return not _OPENING_CODES.isdisjoint(code.co_code[::2]) or not _OPENING_NAMES.isdisjoint(code.co_names)


def _variants(call: Any) -> Iterator[Any]:
    """Yield the callable, what it wraps, and their `__call__`: any may be a coroutine or generator function."""
    outer, inner = unpartial(call), unwrapped(call)
    for variant in (outer,) if outer is inner else (outer, inner):
        yield variant
        method = getattr(variant, "__call__", None)  # noqa: B004 - the method itself is wanted
        if method is not None and not isinstance(variant, FunctionType | type):
            yield unpartial(method)
            yield unwrapped(method)
