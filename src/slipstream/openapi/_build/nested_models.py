"""The models and enumerations inside annotations, at any depth."""

from collections.abc import Iterable
from enum import Enum
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import CoreSchema

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.schema.computed import has_computed_fields


def nested_models(fields: Iterable[ModelField]) -> dict[type[Any], None]:
    """Collect the models and enumerations that fields are made of, in the order they are met."""
    found: dict[type[Any], None] = {}
    for field in fields:
        _collect(field.field_info.annotation, found)
    return found


def is_written_with_more(annotation: Any, core_schema: CoreSchema) -> bool:
    """Whether what is written has properties that what is read cannot have."""
    if has_computed_fields(core_schema):
        return True  # a dataclass; models are found below
    found: dict[type[Any], None] = {}
    _collect(annotation, found)
    return any(issubclass(model, BaseModel) and model.model_computed_fields for model in found)


def _collect(annotation: Any, found: dict[type[Any], None]) -> None:
    if get_origin(annotation) is not None:
        for argument in get_args(annotation):
            _collect(argument, found)
        return
    if not isinstance(annotation, type) or annotation in found or not issubclass(annotation, (BaseModel, Enum)):
        return
    found[annotation] = None
    if issubclass(annotation, BaseModel):
        for info in annotation.model_fields.values():
            _collect(info.annotation, found)
