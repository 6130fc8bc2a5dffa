"""Takers of parameters that are more than one plain string: from a part of a request to the value and its errors."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, Headers, ImmutableMultiDict, UploadFile

from slipstream._engine.runtime.values import UNSET, missing
from slipstream._engine.types import ErrorDetail, Location

Check = Callable[[Any, Location], tuple[Any, list[ErrorDetail]]]
"""Validates a value; returns the validated value and its errors, which begin with the location."""

Names = tuple[tuple[str, str], ...]
"""Names of a value in order of preference, each a pair: Pydantic's name and the request's."""


@dataclass(frozen=True, slots=True)
class ItemModel:
    """A model whose fields are values of a request.

    `keeps_extras` says that it allows or forbids unknown keys, `loc_by_alias` that errors name aliases.
    """

    fields: tuple["Item", ...]
    keeps_extras: bool
    loc_by_alias: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """A value of a request, as a taker needs it.

    `default` makes the value where a request has none, validated if `check_default`; None if the value is required.
    `is_sequence` says that repeated keys are collected. `models` are the models that the value may be, several for a
    union in a form. `reads_bytes` and `reads_bytes_list` say that it is the content of an uploaded file, or a list.
    """

    name: str
    names: Names
    is_sequence: bool
    check: Check
    default: Callable[[], Any] | None
    check_default: bool = False
    models: tuple[ItemModel, ...] = ()
    is_optional: bool = False
    reads_bytes: bool = False
    reads_bytes_list: bool = False

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
        """Return the first of the names that the request has, or else the first."""
        for pair in self.names:
            if pair[1] in values:
                return pair
        return self.names[0]


def pick(item: Item, values: Mapping[str, Any], key: str) -> Any:
    """Get a raw value, or all values of a key for a sequence; `UNSET` where there is none, or an empty form field."""
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
    """Whether a value is what a browser sends for a file field without a chosen file."""
    return isinstance(value, UploadFile) and value.filename == "" and value.size == 0


def extras(values: Mapping[str, Any], known: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield the keys that are not `known` with their values, repeated keys with a list."""
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
    def take(values: Mapping[str, Any]) -> tuple[Any, list[ErrorDetail]]:
        _, key = item.find(values)
        return item.settle(pick(item, values, key), (source, key))

    return take


def model_taker(whole: Item, source: str) -> Callable[[Mapping[str, Any]], tuple[Any, list[ErrorDetail]]]:
    """Make the taker of a model whose fields are query parameters, headers or cookies."""
    (model,) = whole.models
    is_header = source == "header"

    def key_of(name: str) -> str:
        return name.lower() if is_header else name

    own_names = {key_of(key) for item in model.fields for _, key in item.names}

    def take(values: Mapping[str, Any]) -> tuple[Any, list[ErrorDetail]]:
        found: dict[str, Any] = {}
        renamed: dict[str | int, str] = {}
        known: set[str] = set()
        for item in model.fields:
            name, key = item.find(values)
            value = pick(item, values, key)
            if value is not UNSET:
                found[name] = value
            known.add(key_of(key))
            if is_header:
                # A field's Python name is not an unknown header.
                known.update(field.lower() for field, header in item.names if field != header)
                if name != key:
                    renamed[item.name] = key
        found.update(extras(values, known))
        given: Any = found
        if whole.is_optional and not (own_names.intersection(values) or (model.keeps_extras and found)):
            given = UNSET
        value, errors = whole.settle(given, (source,))
        if renamed and model.loc_by_alias:
            for error in errors:
                loc = error["loc"]
                if len(loc) > 1 and loc[1] in renamed:
                    error["loc"] = (loc[0], renamed[loc[1]], *loc[2:])
        return value, errors

    return take
