"""Show the options that a function takes through `**options: Unpack[...]` in its signature.

Type checkers read the TypedDict; `inspect.signature`, `help` and notebooks read what is written here.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, NotRequired, Required, TypeVar, cast, get_origin, get_type_hints

F = TypeVar("F", bound=Callable[..., Any])
D = TypeVar("D")


def unpacks(options: type[object], defaults: type[object]) -> Callable[[F], F]:
    """Write the `__signature__` of a function that takes `**options: Unpack[options]`.

    Args:
        options: TypedDict with the names, types and sentences of the options.
        defaults: Dataclass with a field of the same name for each of them; a field without a default
            makes the option required.

    Returns:
        A decorator that gives the same function back. The function itself still gets a plain dict: use
        `completed` (or the dataclass) to check names and fill in defaults.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        named = {each.name for each in own}
        every = _parameters(options, defaults)  # type: ignore[arg-type]  # mypy looks for __hash__ in the wrong place
        shown = [each for each in every if each.name not in named]
        function.__signature__ = signature.replace(parameters=[*own, *shown])  # type: ignore[attr-defined]  # functions take any attribute
        return function

    return decorate


@cache
def _parameters(options: Any, defaults: Any) -> tuple[inspect.Parameter, ...]:
    hints = get_type_hints(options, include_extras=True)
    by_name = {each.name: each for each in fields(defaults)}
    if hints.keys() != by_name.keys():
        odd = ", ".join(sorted(hints.keys() ^ by_name.keys()))
        raise TypeError(f"{options.__name__} and {defaults.__name__} differ in: {odd}")
    return tuple(
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_default(by_name[name]), annotation=_bare(hint))
        for name, hint in hints.items()
    )


def _default(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return field.default_factory()
    return inspect.Parameter.empty


def _bare(hint: Any) -> Any:
    """Take off `Required` and `NotRequired`, which mean something in a TypedDict only."""
    return hint.__args__[0] if get_origin(hint) in (Required, NotRequired) else hint


def completed(defaults: type[D], options: Mapping[str, Any], owner: str) -> D:
    """Fill in what was not given.

    Args:
        defaults: The dataclass to make.
        options: What the caller wrote.
        owner: Name of the function that was called, for the error.

    Raises:
        TypeError: An option that does not exist was given, or a required one was not.
    """
    known = names_of(cast(Any, defaults))
    for name in options:
        if name not in known:
            raise TypeError(f"{owner}() got an unexpected keyword argument {name!r}")
    return defaults(**options)


def as_options(given: object, taken: type[Any] | None = None) -> dict[str, Any]:
    """Turn completed options into keyword arguments again, for a function that takes them one by one.

    Args:
        taken: Dataclass with the options that the function takes; by default it takes all.
    """
    names = names_of(cast(Any, type(given)))
    return {name: getattr(given, name) for name in names if taken is None or name in names_of(cast(Any, taken))}


@cache
def names_of(defaults: Any) -> Mapping[str, None]:
    """Return the names of the options that a dataclass has defaults of, in order."""
    return dict.fromkeys(each.name for each in fields(defaults))
