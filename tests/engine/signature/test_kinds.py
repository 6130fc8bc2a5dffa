"""How a callable runs: looked at through partials, wrappers, methods and callable objects."""

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from slipstream._engine.signature.kinds import call_kind, unpartial, unwrapped


async def coroutine() -> None: ...
def plain() -> None: ...
async def async_generator() -> AsyncIterator[int]:
    yield 1


def generator() -> Iterator[int]:
    yield 1


class Sync:
    def __call__(self) -> None: ...
    async def method(self) -> None: ...


class Async:
    async def __call__(self) -> None: ...


class AsyncGenerator:
    async def __call__(self) -> AsyncIterator[int]:
        yield 1


class Generator:
    def __call__(self) -> Iterator[int]:
        yield 1


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate as most decorators do: a sync function that passes the call on."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def async_wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a sync function with an async one."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        pytest.param(coroutine, "async", id="coroutine function"),
        pytest.param(plain, "sync", id="function"),
        pytest.param(async_generator, "async_gen", id="async generator"),
        pytest.param(generator, "gen", id="generator"),
        pytest.param(Sync(), "sync", id="object"),
        pytest.param(Async(), "async", id="async object"),
        pytest.param(AsyncGenerator(), "async_gen", id="async generator object"),
        pytest.param(Generator(), "gen", id="generator object"),
        pytest.param(Sync, "sync", id="class"),
        pytest.param(Async, "sync", id="class of async objects: making one is not async"),
        pytest.param(Sync().method, "async", id="method"),
        pytest.param(functools.partial(coroutine), "async", id="partial"),
        pytest.param(functools.partial(functools.partial(generator)), "gen", id="partial of a partial"),
        pytest.param(functools.partial(Async()), "async", id="partial of an object"),
        pytest.param(wrapped(coroutine), "async", id="wrapped coroutine function"),
        pytest.param(wrapped(generator), "gen", id="wrapped generator"),
        pytest.param(wrapped(async_generator), "async_gen", id="wrapped async generator"),
        pytest.param(wrapped(Async()), "async", id="wrapped object"),
        pytest.param(functools.partial(wrapped(wrapped(coroutine))), "async", id="partial of wrappers"),
        pytest.param(async_wrapped(plain), "async", id="async around sync"),
        pytest.param(lambda: None, "sync", id="lambda"),
        pytest.param(int, "sync", id="built in"),
    ],
)
def test_a_callable_runs_as_what_it_wraps_does(call: Any, kind: str) -> None:
    """Sent to a thread, a coroutine function would never run; awaited, a function would block the loop."""
    assert call_kind(call) == kind


def test_partials_and_wrappers_come_off() -> None:
    """Errors and comments name what the user wrote."""
    outer = functools.partial(wrapped(plain), 1)

    assert unpartial(functools.partial(outer)) is outer.func
    assert unwrapped(outer) is plain
