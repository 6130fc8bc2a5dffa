"""Options that application, routers, inclusions and routes have in common, and how they merge.

`MERGING` is the table, `merged` the one function that reads it. An option that is added here, with its default and its
row, can be set at every level and arrives at the route.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, cast

from starlette.responses import Response
from starlette.routing import BaseRoute
from typing_extensions import TypedDict

from slipstream._options.unpack import Otherwise, names_of
from slipstream.datastructures import Default, DefaultPlaceholder
from slipstream.utils import generate_unique_id, get_value_or_default

IdMaker = Callable[[Any], str] | DefaultPlaceholder
ResponseClass = type[Response] | DefaultPlaceholder
Responses = dict[int | str, dict[str, Any]]


class FormLimits(TypedDict, total=False):
    """Bounds on what a form may carry; each one that is not given is inherited."""

    max_fields: int
    """Most fields that are no files."""

    max_files: int
    """Most files."""

    max_part_size: int
    """Most bytes of one field that is no file."""


def _check_bound(name: str, bound: object) -> None:
    if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int) or bound < 0):
        raise ValueError(f"{name} must be a non-negative integer or None, not {bound!r}")


def _check_form_limits(name: str, limits: Mapping[str, object] | None) -> None:
    for key, bound in (limits or {}).items():
        if key not in FormLimits.__annotations__ or bound is None:
            raise ValueError(f"{name} has no {key!r}={bound!r}; it knows {', '.join(FormLimits.__annotations__)}")
        _check_bound(f"{name}: {key}", bound)


class InheritedOptions(TypedDict, total=False):
    """What each level may say about the path operations below it."""

    dependencies: Sequence[Any] | None
    """`Depends(...)` whose results nobody needs, run before the endpoint's own; those of outer levels run first."""

    responses: Responses | None
    """Further responses to document: status to `description`, `model`, `content`, …; the innermost level wins."""

    callbacks: list[BaseRoute] | None
    """Routes of an `APIRouter` that document what the operation will call at the client."""

    deprecated: bool | None
    """Mark the operation as deprecated in the documentation; True at one level is enough."""

    include_in_schema: Annotated[bool, Otherwise(True)]
    """Whether the documentation shows the operation; False at one level is enough to hide it."""

    generate_unique_id_function: Annotated[IdMaker, Otherwise(Default(generate_unique_id))]
    """Makes the operation's id from the route; the innermost level wins."""

    max_body_size: Annotated[int | None, Otherwise(check=_check_bound)]
    """Most bytes of a request's body, 413 beyond; 0: only an empty one. None: the next outer level says."""

    form_limits: Annotated[FormLimits | None, Otherwise(check=_check_form_limits)]
    """Bounds on forms; each one that is not given is the next outer level's."""


class TaggedOptions(InheritedOptions, total=False):
    """What each level but the application may say."""

    tags: list[str | Enum] | None
    """Groups that the documentation lists the operation under; those of outer levels come first."""


def _both_lists(outer: Sequence[Any] | None, inner: Sequence[Any] | None) -> list[Any]:
    return [*(outer or ()), *(inner or ())]


def _both_dicts(outer: Mapping[Any, Any] | None, inner: Mapping[Any, Any] | None) -> dict[Any, Any]:
    return {**(outer or {}), **(inner or {})}


def _inner_if_set(outer: Any, inner: Any) -> Any:
    return get_value_or_default(inner, outer)


@dataclass(frozen=True, slots=True)
class Merging:
    """How one option merges.

    Args:
        merge: Takes the values of an outer and an inner level, returns the value that holds.
        is_repeated: Whether an included router's own value is looked up again when a route of it is included. A
            route that was made by the router has it already; one that was put into `router.routes` has not.
        outside: Name of the option at the levels outside a route; the same by default.
    """

    merge: Callable[[Any, Any], Any]
    is_repeated: bool = False
    outside: str | None = None


MERGING: Final[Mapping[str, Merging]] = {
    "prefix": Merging(lambda outer, inner: outer + inner),
    "tags": Merging(_both_lists),
    "dependencies": Merging(_both_lists),
    "responses": Merging(_both_dicts),
    "callbacks": Merging(_both_lists),
    "deprecated": Merging(lambda outer, inner: inner or outer),
    "include_in_schema": Merging(lambda outer, inner: outer and inner),
    "default_response_class": Merging(_inner_if_set, is_repeated=True),
    "response_class": Merging(_inner_if_set, is_repeated=True, outside="default_response_class"),
    "generate_unique_id_function": Merging(_inner_if_set, is_repeated=True),
    "strict_content_type": Merging(_inner_if_set, is_repeated=True),
    "max_body_size": Merging(lambda outer, inner: outer if inner is None else inner, is_repeated=True),
    "form_limits": Merging(_both_dicts, is_repeated=True),
    "dependency_overrides_provider": Merging(lambda outer, inner: outer),
}
"""How each option merges that more than one level has; of any other, a route's own value holds."""


_SILENT: Final[Any] = object()
"""Stands for the value of an option that a level does not have."""


def merged(options: type[object], *levels: object) -> dict[str, Any]:
    """Merge what several levels say.

    Args:
        options: TypedDict with the options to return.
        levels: Outermost first, objects with options as attributes or mappings of them; a level without an option says
            nothing of it.

    Returns:
        A value for each of the options.
    """
    *outer, innermost = levels
    plain, rows = _rows(cast(Any, options))
    values = {name: _said(innermost, name) for name in plain}
    for name, outside, merge in rows:
        value = _SILENT
        for level in outer:
            said = _said(level, outside)
            value = said if value is _SILENT else value if said is _SILENT else merge(value, said)
        said = _said(innermost, name)
        values[name] = said if value is _SILENT else value if said is _SILENT else merge(value, said)
    return values


@cache
def _rows(options: Any) -> tuple[list[str], list[tuple[str, str, Callable[[Any, Any], Any]]]]:
    """Return the names of the options that do not merge, and name, name outside and rule of those that do."""
    names = names_of(options)
    merging = [(name, MERGING[name]) for name in names if name in MERGING]
    plain = [name for name in names if name not in MERGING]
    return plain, [(name, rule.outside or name, rule.merge) for name, rule in merging]


def _said(level: object, name: str) -> Any:
    return level.get(name, _SILENT) if type(level) is dict else getattr(level, name, _SILENT)


def repeated(router: object) -> dict[str, Any]:
    """Return what an included router says again about the routes in it; see `Merging`."""
    said = {name: _said(router, name) for name, rule in MERGING.items() if rule.is_repeated}
    return {name: value for name, value in said.items() if value is not _SILENT}
