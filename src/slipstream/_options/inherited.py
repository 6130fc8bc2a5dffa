"""Options that application, routers, inclusions and routes have in common, and how they merge.

An option that is added here can be set at every level and arrives at the route.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache, partial
from typing import Annotated, Any, Final, TypeVar, cast

from starlette.responses import Response
from starlette.routing import BaseRoute
from typing_extensions import TypedDict

from slipstream._options.unpack import Otherwise, rules_of
from slipstream.datastructures import Default, DefaultPlaceholder
from slipstream.limits import Limits, of_forms
from slipstream.utils import generate_unique_id, get_value_or_default

D = TypeVar("D")

IdMaker = Callable[[Any], str] | DefaultPlaceholder
ResponseClass = type[Response] | DefaultPlaceholder
Responses = dict[int | str, dict[str, Any]]


class FormLimits(TypedDict, total=False):
    """Bounds on forms; one that is not given is inherited."""

    max_fields: int
    """Most fields other than files."""

    max_files: int
    """Most files."""

    max_part_size: int
    """Most bytes of one field other than a file."""


def _check_bound(name: str, bound: object) -> None:
    if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int) or bound < 0):
        raise ValueError(f"{name} must be a non-negative integer or None, not {bound!r}")


def _check_form_limits(name: str, limits: Mapping[str, object] | None) -> None:
    for key, bound in (limits or {}).items():
        if key not in FormLimits.__annotations__ or bound is None:
            raise ValueError(f"{name} has no {key!r}={bound!r}; it knows {', '.join(FormLimits.__annotations__)}")
        _check_bound(f"{name}: {key}", bound)


def _check_limits(name: str, limits: object) -> None:
    if limits is not None and not isinstance(limits, Limits):
        raise TypeError(f"{name} must be a Limits, such as slipstream.INTERNET, not {limits!r}")


def _both_lists(outer: Sequence[Any] | None, inner: Sequence[Any] | None) -> list[Any]:
    return [*(outer or ()), *(inner or ())]


def _both_dicts(outer: Mapping[Any, Any] | None, inner: Mapping[Any, Any] | None) -> dict[Any, Any]:
    return {**(outer or {}), **(inner or {})}


def _both_limits(outer: Limits | None, inner: Limits | None) -> Limits | None:
    return outer | inner if outer and inner else outer or inner


def _inner_if_given(outer: int | None, inner: int | None) -> int | None:
    return outer if inner is None else inner


def replaceable(default: Any, **rules: Any) -> Otherwise:
    """Make the rules of an option whose default counts as not set: the innermost level that sets it wins."""
    return Otherwise(Default(default), merge=lambda outer, inner: get_value_or_default(inner, outer), **rules)


class GuardOptions(TypedDict, total=False):
    """Options that each level may set for what it serves, WebSockets too."""

    dependencies: Annotated[Sequence[Any] | None, Otherwise(merge=_both_lists)]
    """`Depends(...)` to run before the endpoint's own, results unused; those of outer levels run first."""

    limits: Annotated[Limits | None, Otherwise(check=_check_limits, merge=_both_limits, is_repeated=True)]
    """How strict to be with what clients send; each field that is not set is the next outer level's."""


class InheritedOptions(GuardOptions, total=False):
    """Options that each level may set for the path operations below it."""

    responses: Annotated[Responses | None, Otherwise(merge=_both_dicts)]
    """Further responses to document: status to `description`, `model`, `content`, …; the innermost level wins."""

    callbacks: Annotated[list[BaseRoute] | None, Otherwise(merge=_both_lists)]
    """Routes of an `APIRouter` that document the requests that the operation sends to its client."""

    deprecated: Annotated[bool | None, Otherwise(merge=lambda outer, inner: inner or outer)]
    """Mark the operation as deprecated in the documentation; True at one level is enough."""

    include_in_schema: Annotated[bool, Otherwise(True, merge=lambda outer, inner: outer and inner)]
    """Whether the documentation shows the operation; False at one level is enough to hide it."""

    generate_unique_id_function: Annotated[IdMaker, replaceable(generate_unique_id, is_repeated=True)]
    """Makes the operation's id from the route; the innermost level wins."""

    max_body_size: Annotated[int | None, Otherwise(check=_check_bound, merge=_inner_if_given, is_repeated=True)]
    """FastAPI's way to write `limits=Limits(body_size=…)`."""

    form_limits: Annotated[FormLimits | None, Otherwise(check=_check_form_limits, merge=_both_dicts, is_repeated=True)]
    """FastAPI's way to write `limits=Limits(form_fields=…, form_files=…, form_part_size=…)`."""


class TaggedOptions(InheritedOptions, total=False):
    """Options that each level but the application may set."""

    tags: Annotated[list[str | Enum] | None, Otherwise(merge=_both_lists)]
    """Groups that the documentation lists the operation under; those of outer levels come first."""


class ProvidedOptions(TypedDict, total=False):
    """The option of everything that has dependencies, but of inclusions."""

    dependency_overrides_provider: Annotated[Any | None, Otherwise(merge=lambda outer, inner: outer)]
    """Object whose `dependency_overrides` hold; the application."""


class RoutingOptions(ProvidedOptions, total=False):
    """Options that application, routers and routes set, and inclusions do not."""

    strict_content_type: Annotated[bool | DefaultPlaceholder, replaceable(True, is_repeated=True)]
    """Whether a body is JSON only under a Content-Type that says so."""


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
