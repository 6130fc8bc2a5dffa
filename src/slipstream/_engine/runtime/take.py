"""Reading parameters that are more than one plain string: lists, aliases, JSON text, whole models.

For each parameter a taker is made, once: a function from the query, headers, cookies or path parameters of a request
to the validated value and its errors.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, Headers, ImmutableMultiDict, UploadFile

from slipstream._engine.runtime.errors import missing
from slipstream._engine.runtime.values import UNSET
from slipstream._engine.types import ErrorDetail, Location

Check = Callable[[Any, Location], tuple[Any, list[ErrorDetail]]]
"""Validates a value that was found at a location; returns the validated value and its errors."""

Names = tuple[tuple[str, str], ...]
"""Names of a value in order of preference, each as Pydantic knows it and as the request writes it."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a taker has to know of one value.

    `default` makes the value where a request has none, and is validated if `check_default`; None: the value is
    required. `is_sequence` says that repeated keys are collected.
    """

    name: str
    names: Names
    is_sequence: bool
    check: Check
    default: Callable[[], Any] | None
    check_default: bool = False

    def settle(self, value: Any, loc: Location) -> tuple[Any, list[ErrorDetail]]:
        """Validate a value; for `UNSET`, return the default or the error for a missing value."""
        if value is UNSET:
            if self.default is None:
                return None, [missing(loc)]
            value = self.default()
            if not self.check_default:
                return value, []
        return self.check(value, loc)

    def find(self, values: Mapping[str, Any]) -> tuple[str, str]:
        """Choose the first of the names that the request has."""
        for pair in self.names:
            if pair[1] in values:
                return pair
        return self.names[0]


def pick(item: Item, values: Mapping[str, Any], key: str) -> Any:
    """Get a raw value, or all values of a key if the item is a sequence; `UNSET` where there is none.

    In a form, an empty string and a file field left empty mean that nothing was sent.
    """
    is_form = isinstance(values, FormData)
    if item.is_sequence and isinstance(values, (ImmutableMultiDict, Headers)):
        found: Any = values.getlist(key)
        if is_form:
            found = [value for value in found if not is_empty_file(value)]
    else:
        found = values.get(key)
    if found is None or (item.is_sequence and len(found) == 0):
        return UNSET
    if is_form and ((isinstance(found, str) and found == "") or is_empty_file(found)):
        return UNSET
    return found


def is_empty_file(value: Any) -> bool:
    """Whether it is what a browser sends for a file field in which no file was chosen."""
    return isinstance(value, UploadFile) and value.filename == "" and value.size == 0


def extras(values: Mapping[str, Any], known: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield keys that are not `known`, repeated ones with a list; the model allows, ignores or forbids them."""
    if isinstance(values, ImmutableMultiDict):
        pairs = values.multi_items()
    elif isinstance(values, Headers):
        pairs = values.items()
    else:
        yield from ((key, value) for key, value in values.items() if key not in known)
        return
    grouped: dict[str, list[Any]] = {}
    for key, value in pairs:
        if key not in known:
            grouped.setdefault(key, []).append(value)
    for key, found in grouped.items():
        yield key, found[0] if len(found) == 1 else found


def value_taker(item: Item, source: str) -> Callable[[Mapping[str, Any]], tuple[Any, list[ErrorDetail]]]:
    """Make the taker of one value."""

    def take(values: Mapping[str, Any]) -> tuple[Any, list[ErrorDetail]]:
        _, key = item.find(values)
        return item.settle(pick(item, values, key), (source, key))

    return take


@dataclass(frozen=True, slots=True)
class ModelItem:
    """What a taker has to know of a model of parameters.

    `whole` validates the model; `items` are its fields. `keeps_extras` says that the model allows or forbids unknown
    keys, `loc_by_alias` that errors name aliases.
    """

    whole: Item
    items: tuple[Item, ...]
    is_optional: bool
    keeps_extras: bool
    loc_by_alias: bool


def model_taker(model: ModelItem, source: str) -> Callable[[Mapping[str, Any]], tuple[Any, list[ErrorDetail]]]:
    """Make the taker of a model whose fields are query parameters, headers or cookies."""
    is_header = source == "header"

    def wire_key(name: str) -> str:
        return name.lower() if is_header else name

    own_names = {wire_key(wire) for item in model.items for _, wire in item.names}

    def take(values: Mapping[str, Any]) -> tuple[Any, list[ErrorDetail]]:
        found: dict[str, Any] = {}
        renamed: dict[str | int, str] = {}
        known: set[str] = set()
        for item in model.items:
            name, key = item.find(values)
            value = pick(item, values, key)
            if value is not UNSET:
                found[name] = value
            known.add(wire_key(key))
            if is_header:
                # A field's Python name is not an unknown header.
                known.update(known_as.lower() for known_as, wire in item.names if known_as != wire)
                if name != key:
                    renamed[item.name] = key
        found.update(extras(values, known))
        given: Any = found
        if model.is_optional and not (own_names.intersection(values) or (model.keeps_extras and found)):
            given = UNSET
        value, errors = model.whole.settle(given, (source,))
        if renamed and model.loc_by_alias:
            errors = [_told_by_header(error, renamed) for error in errors]
        return value, errors

    return take


def _told_by_header(error: ErrorDetail, renamed: dict[str | int, str]) -> ErrorDetail:
    """Name the header in an error, not the field that it fills."""
    loc = error["loc"]
    if len(loc) > 1 and loc[1] in renamed:
        return {**error, "loc": (loc[0], renamed[loc[1]], *loc[2:])}
    return error
