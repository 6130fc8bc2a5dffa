"""Unions of models in forms: each member reads the form in its own way before Pydantic chooses.

A form has no types: the same key is a string for one model and a list for another, and an empty
string means "not sent". So each member of the union gets a validator in front that picks its fields
out of all that was sent.
"""

from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, Tag
from pydantic.fields import FieldInfo
from starlette.datastructures import FormData

from slipstream._engine.plan.fields import model_fields
from slipstream._engine.plan.items import form_item
from slipstream._engine.runtime.form import FormItem, present
from slipstream._engine.signature.annotations import bare, models_of_union


def read_by_member(info: FieldInfo) -> FieldInfo:
    """Return the description of a form parameter with such validators, or itself if it is no union of models."""
    if not models_of_union(info.annotation):
        return info
    changed = copy(info)
    choices = tuple(choice if choice is type(None) else _member(choice) for choice in get_args(info.annotation))
    changed.annotation = cast(Any, Union[choices])
    return changed


def _member(choice: Any) -> Any:
    model: type[BaseModel] = bare(choice)
    metadata: Sequence[Any] = get_args(choice)[1:] if get_origin(choice) is Annotated else ()
    # Errors name the member, as they would without the validator.
    tag = next((item for item in reversed(metadata) if isinstance(item, Tag)), Tag(model.__name__))
    return Annotated[choice, BeforeValidator(_reader(model)), tag]


def _reader(model: type[BaseModel]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        pairs = [
            (key, item) for key, items in value.items() for item in (items if isinstance(items, list) else [items])
        ]
        found = {name: item for name, item, _ in present(_fields(model), FormData(pairs))}
        # None and empty lists come from no form, but another validator may have put them there.
        return found | {key: item for key, item in value.items() if item is None or item == []}

    return read


@lru_cache(maxsize=256)
def _fields(model: type[BaseModel]) -> tuple[FormItem, ...]:
    return tuple(form_item(field) for field in model_fields(model))
