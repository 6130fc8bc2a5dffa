"""Reads forms: urlencoded and multipart, values and files."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from operator import methodcaller
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from slipstream._engine.runtime.body import request_reader
from slipstream._engine.runtime.take import Item, ItemModel, extras, pick
from slipstream._engine.runtime.values import UNSET
from slipstream._engine.types import ErrorDetail


def form_reader(
    refuse: Callable[[Exception], Exception], limits: dict[str, int]
) -> Callable[[Request[Any]], Awaitable[FormData]]:
    """Make the function that reads a form; `refuse` makes its exception, `limits` are options of `Request.form`."""
    return request_reader(refuse, methodcaller("form", **limits))


def form_taker(
    params: Sequence[Item], *, whole: bool
) -> Callable[[FormData], Awaitable[tuple[list[Any], list[ErrorDetail]]]]:
    """Make the function that reads all form parameters of a call; if `whole`, the only one is the form as a mapping."""
    plain = [param for param in params if not param.models]

    async def take(form: FormData) -> tuple[list[Any], list[ErrorDetail]]:
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
