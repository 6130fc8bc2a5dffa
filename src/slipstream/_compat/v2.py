"""Fields and their JSON Schemas, under FastAPI's half-public names."""

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from slipstream._engine.plan.fields import ModelField as ModelField, model_fields
from slipstream._engine.signature.annotations import is_union
from slipstream.openapi._build.schemas import FieldSchemas, nested_models
from slipstream.openapi.utils import get_definitions as get_definitions
from slipstream.types import ModelNameMap

Models = set[type[BaseModel] | type[Enum]]


def get_cached_model_fields(model: type[BaseModel]) -> list[ModelField]:
    """List the fields of a model."""
    return list(model_fields(model))


def get_flat_models_from_fields(fields: Sequence[ModelField], known_models: Models) -> Models:
    """Add the models and enumerations inside fields to `known_models`, and return it."""
    known_models.update(nested_models(fields))
    return known_models


def get_model_name_map(unique_models: Models) -> ModelNameMap:
    """Name each model by its class; of several with one name, the last is kept."""
    by_name = {re.sub(r"[^a-zA-Z0-9.\-_]", "_", model.__name__): model for model in unique_models}
    return {model: name for name, model in by_name.items()}


def get_schema_from_model_field(
    *,
    field: ModelField,
    model_name_map: ModelNameMap,
    field_mapping: dict[tuple[ModelField, Literal["validation", "serialization"]], dict[str, Any]],
    separate_input_output_schemas: bool = True,
    field_alias: str | None = None,
) -> dict[str, Any]:
    """Return one field's JSON Schema out of what `get_definitions` made."""
    return FieldSchemas(field_mapping, separate=separate_input_output_schemas).of(field, alias=field_alias)


def serialize_sequence_value(*, field: ModelField, value: Iterable[Any]) -> Any:
    """Put values into the kind of sequence that a field is annotated with, perhaps beside None."""
    annotation = field.field_info.annotation
    choices = get_args(annotation) if is_union(annotation) else (annotation,)
    chosen: Any = next(choice for choice in choices if choice is not type(None))
    kind = get_origin(chosen) or chosen
    return list(value) if kind is Sequence else kind(value)
