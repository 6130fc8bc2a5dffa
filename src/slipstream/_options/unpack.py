"""Show the options of a function's `**options: Unpack[...]` in its signature, and fill in their defaults."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar, cast, get_type_hints

F = TypeVar("F", bound=Callable[..., Any])
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Otherwise:
    """Metadata of an option with another default than None, or with one of the rules: `Annotated[int, Otherwise(3)]`.

    Args:
        check: Takes the option's name and a given value, and raises an error for the user.
        merge: Takes the values of an outer and an inner level, and returns the merged one. None: the inner one counts.
        outside: Name of the option at the levels outside of a route. None: the same.
        is_repeated: Whether an included router's own value is merged once more at the inclusion, for routes that
            were put into `router.routes` and not made by the router.
    """

    default: Any = None
    check: Callable[[str, Any], None] | None = None
    merge: Callable[[Any, Any], Any] | None = None
    outside: str | None = None
    is_repeated: bool = False


def unpacks(options: type[object], otherwise: Any = None) -> Callable[[F], F]:
    """Decorate a function that takes `**options: Unpack[options]` with a `__signature__` that lists the options.

    The function still gets the given options only: `completed` checks their names and fills in defaults.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        named = {each.name for each in own}
        shown = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=rule.default, annotation=hint)
            for name, (hint, rule) in rules_of(cast(Any, options), otherwise).items()
            if name not in named
        ]
        function.__signature__ = signature.replace(parameters=[*own, *shown])  # type: ignore[attr-defined]  # functions take any attribute
        return function

    return decorate


def completed(options: type[D], given: Mapping[str, Any], owner: str, otherwise: Any = None) -> D:
    """Return a value for every option: the given one, checked, or the default; raise TypeError for one that is none.

    `owner` names the function that was called; `otherwise` is the default of options without `Otherwise`.
    """
    defaults, checks = _defaults(cast(Any, options), otherwise)
    values = {**defaults, **given}
    if len(values) > len(defaults):
        name = next(name for name in given if name not in defaults)
        likely = "".join(f"; did you mean {each!r}?" for each in get_close_matches(name, defaults, 1))
        raise TypeError(f"{owner}() got an unexpected keyword argument {name!r}{likely}")
    for name, check in checks.items():
        if name in given:
            check(name, given[name])
    return cast(D, values)


@cache
def _defaults(options: Any, otherwise: Any) -> tuple[dict[str, Any], dict[str, Callable[[str, Any], None]]]:
    """Return the defaults of the options and the checks of those that have one."""
    rules = {name: rule for name, (_, rule) in rules_of(options, otherwise).items()}
    checks = {name: rule.check for name, rule in rules.items() if rule.check is not None}
    return {name: rule.default for name, rule in rules.items()}, checks


def names_of(options: type[object]) -> tuple[str, ...]:
    """Return the names of the options of a TypedDict, in order."""
    return tuple(rules_of(cast(Any, options)))


@cache
def rules_of(options: Any, otherwise: Any = None) -> Mapping[str, tuple[Any, Otherwise]]:
    unset = Otherwise(otherwise)
    found = {}
    for name, hint in get_type_hints(options, include_extras=True).items():
        metadata = getattr(hint, "__metadata__", ())
        kind = hint.__origin__ if metadata else hint
        found[name] = kind, next((each for each in metadata if isinstance(each, Otherwise)), unset)
    return found
