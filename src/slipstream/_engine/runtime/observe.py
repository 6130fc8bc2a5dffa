"""What observed handlers report: names of functions, and the valid arguments of a refused request."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from slipstream._engine.runtime.values import UNSET
from slipstream._engine.types import ErrorDetail

Argument: TypeAlias = tuple[str, str, frozenset[tuple[str, ...]]]
"""A parameter, its local variable, and the beginnings of the `loc` of its errors (empty: it is always reported)."""


def function_name(function: Callable[..., Any]) -> str:
    """Return module and qualified name of a function, or of the class of a callable object."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{getattr(named, '__module__', None)}.{named.__qualname__}"


def known_values(arguments: Sequence[Argument]) -> Callable[[Mapping[str, Any], list[ErrorDetail]], dict[str, Any]]:
    """Make the function that returns the valid arguments of a refused request, by name."""

    def known(found: Mapping[str, Any], errors: list[ErrorDetail]) -> dict[str, Any]:
        wrong = {error["loc"][:length] for error in errors for length in (1, 2)}
        return {
            name: found[variable]
            for name, variable, places in arguments
            if found.get(variable, UNSET) is not UNSET and wrong.isdisjoint(places)
        }

    return known
