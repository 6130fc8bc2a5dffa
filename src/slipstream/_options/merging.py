"""How options of application, routers, inclusions and routes merge: by the rules beside each option (`levels.py`)."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final, TypeVar, cast

from slipstream._options.unpack import rules_of
from slipstream.limits import Limits, of_forms

D = TypeVar("D")

_SILENT: Final[Any] = object()
"""The value of an option that a level does not have."""


def merged(options: type[D], *levels: object) -> D:
    """Return a value for each option of a TypedDict, merged from several levels, outermost first.

    A level is an object with options as attributes, or a dict of them, and may lack some.
    """
    *outer, own = map(_reader, levels)
    plain, rows = _rows(cast(Any, options))
    values = {name: own(name, _SILENT) for name in plain}
    for name, outside, merge in rows:
        value = own(name, _SILENT)
        for read in reversed(outer):
            found = read(outside, _SILENT)
            if found is not _SILENT:
                value = found if value is _SILENT else merge(found, value)
        values[name] = value
    return cast(D, values)


@cache
def _rows(options: Any) -> tuple[list[str], list[tuple[str, str, Callable[[Any, Any], Any]]]]:
    """Return the names of the options that do not merge, and name, name outside and function of those that do."""
    rules = {name: rule for name, (_, rule) in rules_of(options).items()}
    plain = [name for name, rule in rules.items() if rule.merge is None]
    return plain, [(name, rule.outside or name, rule.merge) for name, rule in rules.items() if rule.merge is not None]


def folded(given: D) -> D:
    """Put what a level says in FastAPI's words into its `limits`, in place; what `limits` says itself counts."""
    level = cast(Any, given)
    if level["max_body_size"] is not None or level["form_limits"]:
        said = Limits(body_size=level["max_body_size"]) | of_forms(level["form_limits"])
        level["limits"] = said | (level["limits"] or Limits())
    return given


def _reader(level: object) -> Callable[[str, Any], Any]:
    """Return the function that reads an option of a level, or returns its second argument."""
    return level.get if type(level) is dict else partial(getattr, level)


def repeated(options: Any, router: object) -> dict[str, Any]:
    """Return those options of an included router that are merged once more; see `Otherwise`."""
    own = {name: getattr(router, name, _SILENT) for name, (_, rule) in rules_of(options).items() if rule.is_repeated}
    return {name: value for name, value in own.items() if value is not _SILENT}
