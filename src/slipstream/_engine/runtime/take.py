"""Takers of parameters that are more than one plain string: from a part of a request to values and their errors."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, Headers, ImmutableMultiDict, UploadFile

from slipstream._engine.runtime.values import UNSET, missing
from slipstream._engine.types import ErrorDetail, Location, Taken

Check = Callable[[Any, Location], Taken]
"""Validates a value; the errors begin with the location."""

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

    def settle(self, value: Any, loc: Location) -> Taken:
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
    pairs = values.multi_items() if isinstance(values, ImmutableMultiDict) else values.items()
    grouped: dict[str, list[Any]] = {}
    for key, value in pairs:
        if key not in known:
            grouped.setdefault(key, []).append(value)
    for key, found in grouped.items():
        yield key, found[0] if len(found) == 1 else found


def value_taker(item: Item, source: str) -> Callable[[Mapping[str, Any]], Taken]:
    def take(values: Mapping[str, Any]) -> Taken:
        _, key = item.find(values)
        return item.settle(pick(item, values, key), (source, key))

    return take


def model_taker(whole: Item, source: str) -> Callable[[Mapping[str, Any]], Taken]:
    """Make the taker of a model whose fields are query parameters, headers or cookies."""
    (model,) = whole.models
    is_header = source == "header"
    key_of: Callable[[str], str] = str.lower if is_header else str
    own_names = {key_of(key) for item in model.fields for _, key in item.names}

    def take(values: Mapping[str, Any]) -> Taken:
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


def form_taker(params: Sequence[Item], *, whole: bool) -> Callable[[FormData], Awaitable[Taken]]:
    """Make the function that reads all form parameters of a call; if `whole`, the only one is the form as a mapping."""
    plain = [param for param in params if not param.models]

    async def take(form: FormData) -> Taken:
        found = {param.name: (name, value) async for name, value, param in _found(plain, form) if param is not None}
        values: list[Any] = []
        errors: list[ErrorDetail] = []
        for param in params:
            if whole:
                content = {name: value async for name, value, _ in _found(plain, form)}
                value, wrong = param.settle(content, ("body",))
            elif param.models:
                value, wrong = param.settle(await _model_content(param, form), ("body",))
            else:
                name, given = found.get(param.name, (param.names[0][0], UNSET))
                value, wrong = param.settle(given, ("body", name))
            values.append(value)
            errors += wrong
        return values, errors

    return take


def present(params: Sequence[Item], form: FormData) -> Iterator[tuple[str, Any, Item | None]]:
    """Yield a form's parameters, each by the first of its names that the form has, then all other fields."""
    known: set[str] = set()
    for param in params:
        for name, key in param.names:
            known.add(name)
            value = pick(param, form, key)
            if value is not UNSET:
                yield name, value, param
                break
    for key, value in extras(form, known):
        yield key, value, None


async def _found(params: Sequence[Item], form: FormData) -> Any:
    for name, value, param in present(params, form):
        if param is not None and param.reads_bytes and isinstance(value, UploadFile):
            value = await read_again(value)
        elif param is not None and param.reads_bytes_list and isinstance(value, list):
            value = [await read_again(item) if isinstance(item, UploadFile) else item for item in value]
        yield name, value, param


async def read_again(file: UploadFile) -> bytes:
    """Read a file from its position to its end, then set the position back."""
    position = file.file.tell()
    try:
        return await file.read()
    finally:
        await file.seek(position)


def is_supplied(model: ItemModel, form: FormData) -> bool:
    """Whether a form has a field of a model, or any where the model takes further ones."""
    has_extras = bool(model.keeps_extras and form)
    return has_extras or any(name in form for field in model.fields for name, _ in field.names)


async def _model_content(param: Item, form: FormData) -> Any:
    """Return the input of a form model; `UNSET` if it is optional and the form has none of its fields."""
    if param.is_optional and not any(is_supplied(model, form) for model in param.models):
        return UNSET
    # The models of a union differ in their fields, so each gets the whole form.
    fields = param.models[0].fields if len(param.models) == 1 else ()
    return {name: value async for name, value, _ in _found(fields, form)}
