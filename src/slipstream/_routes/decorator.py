"""Decorators that register a function and return it as it is."""

import inspect
from collections.abc import Callable

from slipstream._engine.errors import warn
from slipstream._engine.signature.origin import origin_of
from slipstream.types import DecoratedCallable


def decorator(
    register: Callable[[DecoratedCallable], object], argument: object
) -> Callable[[DecoratedCallable], DecoratedCallable]:
    """Make a decorator that calls `register`; its `argument` is no function, or the parentheses have been forgotten."""
    if inspect.isroutine(argument):
        claim = f"{argument.__name__!r} is not registered: its decorator has no parentheses"
        warn(claim, origin_of(argument), 'write the decorator with its argument, such as @app.get("/items")')

    def decorate(function: DecoratedCallable) -> DecoratedCallable:
        register(function)
        return function

    return decorate
