"""The JSON Schema of a form that several parameters share, some of them whole models.

A form is flat: the fields of each form model stand beside the single values. So the schema is the
conjunction (`allOf`) of what each parameter demands, and not an object with one key for each.
"""

from collections.abc import Sequence
from copy import deepcopy
from types import NoneType
from typing import Any, TypeAlias, get_args

from pydantic import AliasChoices, BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from slipstream._engine.plan.fields import ModelField, model_fields
from slipstream._engine.plan.flatten import request_names

FormPart: TypeAlias = tuple[str, ModelField, list[type[BaseModel]]]
"""A property of the schema as Pydantic made it, the parameter it stands for, the models the parameter is read as."""


def describe_form_model(model: type[BaseModel], core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
    """Write a form model's schema with the names a browser sends, and leave the shared schema alone.

    Returns:
        The schema as it is where the names agree, else a changed copy, inline.
    """
    schema = handler(core_schema)
    shared = handler.resolve_ref_schema(schema)
    renamed = _renamed(model, shared)
    if not renamed:
        return schema
    own = deepcopy(shared)
    own["properties"] = {renamed.get(name, [name])[0]: value for name, value in own["properties"].items()}
    own["required"] = []
    for name in shared.get("required", []):
        names = renamed.get(name, [name])
        if len(names) == 1:
            own["required"].append(names[0])
        else:
            own.setdefault("allOf", []).append({"anyOf": [{"required": [choice]} for choice in names]})
    return own


def _renamed(model: type[BaseModel], schema: dict[str, Any]) -> dict[str, list[str]]:
    """Find the properties that a form carries under another name, or under one of several."""
    properties, required = schema.get("properties", {}), schema.get("required", [])
    renamed = {}
    for item in model_fields(model):
        known_as = _schema_name(item)
        names = [alias for alias, _ in request_names(item)]
        differs = names[0] != known_as or (len(names) > 1 and known_as in required)
        if known_as in properties and differs:
            renamed[known_as] = names
    return renamed


def _schema_name(item: ModelField) -> str:
    """Return the property name that Pydantic gives a field."""
    given = item.field_info.validation_alias
    first = given.choices[0] if isinstance(given, AliasChoices) else None
    if first is None:
        return item.validation_alias or item.alias
    return first if isinstance(first, str) else ""


def describe_form(parts: Sequence[FormPart], schema: dict[str, Any]) -> None:
    """Rewrite, in place, an object with one key per parameter as the flat form that is really sent."""
    described = schema.pop("properties")
    schema.pop("required", None)
    properties: dict[str, Any] = {}
    required: list[str] = []
    conditions: list[dict[str, Any]] = []
    for key, item, models in parts:
        if models:
            conditions += _model_conditions(item, models, described[key])
            continue
        name = request_names(item)[0][0]
        if name in properties:
            conditions.append({"properties": {name: described[key]}})
        else:
            properties[name] = described[key]
        if item.field_info.is_required() and name not in required:
            required.append(name)
    if properties:
        schema["properties"] = properties
    if required:
        schema["required"] = required
    schema["allOf"] = conditions


def _model_conditions(
    item: ModelField, models: list[type[BaseModel]], described: dict[str, Any]
) -> list[dict[str, Any]]:
    """Say what a form must fulfil for one form model, which may be absent if it is nullable."""
    described.pop("default", None)
    if NoneType not in get_args(item.field_info.annotation):
        return [described]
    # None is sent by leaving every field out; nobody can send a null form.
    described["anyOf"] = [choice for choice in described["anyOf"] if choice.get("type") != "null"]
    absent = _absent(models)
    if item.field_info.is_required():
        return [{"not": absent}, described]
    return [{"anyOf": [absent, described]}]


def _absent(models: list[type[BaseModel]]) -> dict[str, Any]:
    """Describe a form that carries nothing for any of the models."""
    if any(model.model_config.get("extra") in ("allow", "forbid") for model in models):
        return {"maxProperties": 0}
    names = sorted({alias for model in models for item in model_fields(model) for alias, _ in request_names(item)})
    return {"not": {"anyOf": [{"required": [name]} for name in names]}} if names else {}
