"""JSON Schemas of fields, each made once for all fields of the same meaning, and the models inside of fields."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from enum import Enum
from types import NoneType
from typing import Any, Literal, TypeAlias, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, PydanticUndefined
from pydantic_core.core_schema import BytesSchema, ModelSchema

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.schema import has_computed_fields
from slipstream._engine.signature.annotations import is_subclass
from slipstream.openapi.constants import REF_TEMPLATE

Mode: TypeAlias = Literal["validation", "serialization"]
FieldMapping: TypeAlias = Mapping[tuple[ModelField, Mode], JsonSchemaValue]

_PLAIN_DEFAULTS = (type(PydanticUndefined), NoneType, str, int, float, bool)
_RARE_ATTRIBUTES = ("default_factory", "examples", "json_schema_extra", "discriminator", "field_title_generator")


class SchemaGenerator(GenerateJsonSchema):
    """Pydantic's generator, with bytes described by media type as OpenAPI 3.1 has it, and an old key honoured."""

    def bytes_schema(self, schema: BytesSchema) -> JsonSchemaValue:
        described: JsonSchemaValue = {"type": "string", "contentMediaType": "application/octet-stream"}
        config = self._config
        if (config.ser_json_bytes if self.mode == "serialization" else config.val_json_bytes) == "base64":
            described["contentEncoding"] = "base64"
        self.update_with_validations(described, schema, self.ValidationsMapping.bytes)
        return described

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        """Describe a model; `schema_extra`, as Pydantic 1 called `json_schema_extra`, counts where that is not given."""
        described = super().model_schema(schema)
        config: Mapping[str, Any] = schema["cls"].model_config
        old = config.get("schema_extra")
        if isinstance(old, dict) and "json_schema_extra" not in config:
            described.update(old)
        return described


class FieldSchemas:
    """The schemas of a document's fields, looked up by field; `separate` as in `get_openapi`."""

    def __init__(self, mapping: FieldMapping, *, separate: bool) -> None:
        self._mapping = mapping
        self._separate = separate

    def of(self, field: ModelField, *, alias: str | None = None) -> dict[str, Any]:
        """Return a field's schema; unless it points to a definition, with a title, made from `alias` if given."""
        schema = self._mapping[(field, schema_mode(field, separate=self._separate))]
        if "$ref" in schema:
            return dict(schema)
        given = field.validation_alias if field.mode == "validation" else field.serialization_alias
        name = alias if alias is not None else given or field.alias
        return {**schema, "title": field.field_info.title or name.title().replace("_", " ")}


def schema_mode(field: ModelField, *, separate: bool) -> Mode:
    is_own = separate or field.mode == "validation" or _is_written_with_more(field)
    return field.mode if is_own else "validation"


def define(fields: Sequence[ModelField], *, separate: bool = True) -> tuple[FieldMapping, dict[str, Any]]:
    """Make the schemas of fields, by field and mode, and the definitions that they point to, by name.

    Fields of the same meaning share a schema; do not change it.
    """
    keys: dict[tuple[ModelField, Mode], Hashable] = {}
    inputs: dict[Hashable, tuple[Mode, CoreSchema]] = {}
    for field in (*fields, *_inner_models(fields)):
        mode = schema_mode(field, separate=separate)
        key = keys[(field, mode)] = (meaning(field), mode)
        if key not in inputs:
            inputs[key] = (mode, _core_schema(field))
    schemas, definitions = SchemaGenerator(ref_template=REF_TEMPLATE).generate_definitions(
        [(key, mode, core_schema) for key, (mode, core_schema) in inputs.items()]
    )
    for definition in definitions.values():
        if isinstance(description := definition.get("description"), str):
            definition["description"] = description.split("\f")[0]
    mapping = {(field, mode): schemas[(key, mode)] for (field, mode), key in keys.items()}
    return mapping, {str(name): definition for name, definition in definitions.items()}


def _inner_models(fields: Sequence[ModelField]) -> list[ModelField]:
    """Find the models inside the fields that are no field's own annotation; they are defined even where unused."""
    outer = {info.annotation for field in fields if isinstance((info := field.field_info).annotation, type)}
    inner = []
    for mode in get_args(Mode):
        models = nested_models(field for field in fields if field.mode == mode)
        inner += [
            ModelField(FieldInfo(annotation=model), model.__name__, mode) for model in models if model not in outer
        ]
    return inner


def meaning(field: ModelField) -> Hashable:
    """Return what a field's schema depends on; names do not matter, the title from a name is added later."""
    info = field.field_info
    is_rare = field.config or any(getattr(info, name) is not None for name in _RARE_ATTRIBUTES)
    if is_rare or not isinstance(info.default, _PLAIN_DEFAULTS):
        return id(field)
    # Texts too, for things can be equal and yet read otherwise: `int | str` and `str | int`, 1 and True.
    key = (
        info.annotation,
        repr(info.annotation),
        (*info.metadata, repr(info.metadata)) if info.metadata else None,
        type(info.default),
        info.default,
        info.title,
        info.description,
        info.deprecated,
    )
    try:
        hash(key)
    except TypeError:
        return id(field)
    return key


def _core_schema(field: ModelField) -> CoreSchema:
    """Return what the schema is made from; a field that is nothing but its annotation shares its validator's."""
    info = field.field_info
    is_bare = (
        not info.metadata
        and info.default is PydanticUndefined
        and all(getattr(info, name) is None for name in ("title", "description", "deprecated", *_RARE_ATTRIBUTES))
    )
    return (field.checker if is_bare else field.type_adapter).core_schema


def nested_models(fields: Iterable[ModelField]) -> dict[type[Any], None]:
    """Collect the models and enumerations that fields are made of, in the order they are met."""
    found: dict[type[Any], None] = {}

    def collect(annotations: Iterable[Any]) -> None:
        for annotation in annotations:
            if get_origin(annotation) is not None:
                collect(get_args(annotation))
            elif is_subclass(annotation, (BaseModel, Enum)) and annotation not in found:
                found[annotation] = None
                collect(info.annotation for info in getattr(annotation, "model_fields", {}).values())

    collect(field.field_info.annotation for field in fields)
    return found


def _is_written_with_more(field: ModelField) -> bool:
    """Whether what is written has properties that what is read cannot have."""
    if has_computed_fields(_core_schema(field)):
        return True  # a dataclass; models are found below
    models = nested_models([field])
    return any(issubclass(model, BaseModel) and model.model_computed_fields for model in models)
