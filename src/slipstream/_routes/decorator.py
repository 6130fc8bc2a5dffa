"""Decorators that register a function and return it as it is."""

from collections.abc import Callable

from slipstream.types import DecoratedCallable


def decorator(register: Callable[[DecoratedCallable], object]) -> Callable[[DecoratedCallable], DecoratedCallable]:
    """Make a decorator that calls `register` with the decorated function."""

    def decorate(function: DecoratedCallable) -> DecoratedCallable:
        register(function)
        return function

    return decorate
