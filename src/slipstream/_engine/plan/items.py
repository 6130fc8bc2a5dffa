"""What takers (`runtime/take.py`) need to know of fields, and how unions of form models are read."""

from collections.abc import Iterable
from copy import copy
from dataclasses import replace
from functools import lru_cache, partial
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, Tag
from pydantic.fields import FieldInfo
from starlette.datastructures import FormData

from slipstream._engine.plan.body import form_models
from slipstream._engine.plan.fields import ModelField, model_fields
from slipstream._engine.plan.flatten import request_names
from slipstream._engine.runtime.take import Item, ItemModel, present
from slipstream._engine.signature import annotations


def item_of(item: ModelField, *, convert_underscores: bool = False) -> Item:
    return Item(
        name=item.name,
        names=tuple(request_names(item, convert_underscores=convert_underscores)),
        is_sequence=annotations.is_sequence(item.field_info.annotation) and not annotations.is_json(item.field_info),
        check=lambda value, loc: item.validate(value, loc=loc),
        default=None if item.required else item.get_default,
        check_default=bool(item.field_info.validate_default),
    )


def item_model(model: type[BaseModel], fields: Iterable[Item]) -> ItemModel:
    config = model.model_config
    return ItemModel(tuple(fields), config.get("extra") in ("allow", "forbid"), config.get("loc_by_alias", True))


def form_item(item: ModelField) -> Item:
    info = item.field_info
    is_file = getattr(info, "slot_source", None) == "file"
    return replace(
        item_of(item),
        models=tuple(item_model(model, map(form_item, model_fields(model))) for model in form_models(item)),
        is_optional=annotations.is_optional(info.annotation),
        reads_bytes=is_file and annotations.is_bytes(info.annotation),
        reads_bytes_list=is_file and annotations.is_bytes_sequence(info.annotation),
    )


def read_by_member(info: FieldInfo) -> FieldInfo:
    """Return a form parameter's description in which each member of a union of models reads the form by itself.

    A form has no types: a key is a string for one model and a list for another, and an empty string means "not sent".
    So each member gets a validator that picks its fields out of the whole form. Other parameters stay as they are.
    """
    if not annotations.models_of_union(info.annotation):
        return info
    changed = copy(info)
    choices = tuple(choice if choice is type(None) else _member(choice) for choice in get_args(info.annotation))
    changed.annotation = cast(Any, Union[choices])
    return changed


def _member(choice: Any) -> Any:
    model: type[BaseModel] = annotations.bare(choice)
    metadata = get_args(choice)[1:] if get_origin(choice) is Annotated else ()
    # Errors name the member, as they would without the validator.
    tag = next((item for item in reversed(metadata) if isinstance(item, Tag)), Tag(model.__name__))
    return Annotated[choice, BeforeValidator(partial(read_member, model)), tag]


def read_member(model: type[BaseModel], value: Any) -> Any:
    """Pick the fields of one model of a union out of a form's values; return what is no dict as it is."""
    if not isinstance(value, dict):
        return value
    pairs = [(key, item) for key, items in value.items() for item in (items if isinstance(items, list) else [items])]
    found = {name: item for name, item, _ in present(_form_items(model), FormData(pairs))}
    # None and empty lists come from no form, but another validator may have put them there.
    return found | {key: item for key, item in value.items() if item is None or item == []}


@lru_cache(maxsize=256)
def _form_items(model: type[BaseModel]) -> tuple[Item, ...]:
    return tuple(map(form_item, model_fields(model)))
