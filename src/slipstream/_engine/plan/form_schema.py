"""The JSON Schema of a form, which is flat: an `allOf` of the schemas of its parameters, not an object of them."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, TypeAlias

from pydantic import AliasChoices, BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from slipstream._engine.plan.fields import ModelField, model_fields
from slipstream._engine.plan.flatten import request_names
from slipstream._engine.signature.annotations import is_optional

FormPart: TypeAlias = tuple[str, ModelField, list[type[BaseModel]]]
"""The name of a property in Pydantic's schema, its parameter, and the models of the parameter."""


def describe_form_model(model: type[BaseModel], core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
    """Return a form model's schema with the names that a browser sends; a copy, inline, if they differ."""
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
    """Find the properties that have another name in a form, or several."""
    properties, required = schema.get("properties", {}), schema.get("required", [])
    renamed = {}
    for item in model_fields(model):
        given = item.field_info.validation_alias
        first = given.choices[0] if isinstance(given, AliasChoices) else item.validation_alias or item.alias
        known_as = first if isinstance(first, str) else ""
        names = [alias for alias, _ in request_names(item)]
        differs = names[0] != known_as or (len(names) > 1 and known_as in required)
        if known_as in properties and differs:
            renamed[known_as] = names
    return renamed


def describe_form(parts: Sequence[FormPart], schema: dict[str, Any]) -> None:
    """Turn the schema of an object with one key per parameter into that of a flat form, in place."""
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
    """Return the conditions of a form model, which may be absent if it is optional."""
    described.pop("default", None)
    if not is_optional(item.field_info.annotation):
        return [described]
    # A form cannot be null: no field of it stands for None.
    described["anyOf"] = [choice for choice in described["anyOf"] if choice.get("type") != "null"]
    absent: dict[str, Any]
    if any(model.model_config.get("extra") in ("allow", "forbid") for model in models):
        absent = {"maxProperties": 0}
    else:
        names = {alias for model in models for field in model_fields(model) for alias, _ in request_names(field)}
        absent = {"not": {"anyOf": [{"required": [name]} for name in sorted(names)]}} if names else {}
    if item.field_info.is_required():
        return [{"not": absent}, described]
    return [{"anyOf": [absent, described]}]
