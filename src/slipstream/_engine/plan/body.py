"""The field that documents a whole body and validates nothing; what cannot be described fails at the user's line.

The schema of a form, which is flat, is an `allOf` of the schemas of its parameters, not an object of them.
"""

from collections.abc import Sequence
from copy import copy, deepcopy
from functools import partial
from typing import Annotated, Any, TypeAlias

from pydantic import AliasChoices, BaseModel, ConfigDict, GetJsonSchemaHandler, GetPydanticSchema, create_model
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from slipstream._engine.plan.fields import ModelField, model_fields
from slipstream._engine.plan.flatten import request_names, slot_source
from slipstream._engine.signature.annotations import is_json, is_optional, is_subclass, model_of, models_of_union

_MULTIPART = "multipart/form-data"

FormPart: TypeAlias = tuple[str, ModelField, list[type[BaseModel]]]
"""The name of a property in Pydantic's schema, its parameter, and the models of the parameter."""


def should_embed(fields: Sequence[ModelField]) -> bool:
    """Return whether the body is an object with one key for each of its parameters, not the single one itself."""
    if not fields:
        return False
    first = fields[0]
    # Names are counted, since several dependencies may have the same parameter.
    if len({item.name for item in fields}) > 1 or getattr(first.field_info, "embed", None):
        return True
    kind = first.field_info.annotation
    if form_models(first):  # dependencies may use one name for different form models
        return not all(form_models(item) and item.field_info.annotation is kind for item in fields)
    # A form has keys, so only a model can be the whole form.
    return is_form(first) and not is_subclass(kind, BaseModel)


def build_body_field(body_params: Sequence[ModelField], *, name: str, embed: bool) -> ModelField | None:
    """Make the field that documents a body of such parameters; a combined model is called `Body_` and `name`."""
    if not body_params:
        return None
    first = body_params[0]
    if not embed and not any(is_optional(item.field_info.annotation) and form_models(item) for item in body_params):
        return first
    model = _combined_model(body_params, f"Body_{name}")
    if embed:
        return _combined_field(body_params, model)
    whole = copy(first.field_info)
    whole.annotation = model
    # The field inside the model has the constraints and the discriminator.
    whole.metadata = []
    whole.discriminator = None
    return ModelField(whole, first.name)


def is_form(item: ModelField) -> bool:
    return slot_source(item) in ("form", "file")


def form_models(item: ModelField) -> list[type[BaseModel]]:
    """List the models of a form parameter: one, several for a union, none for a plain value."""
    if not is_form(item) or getattr(item.field_info, "embed", None) or is_json(item.field_info):
        return []
    model = model_of(item.field_info.annotation)
    return [model] if model is not None else list(models_of_union(item.field_info.annotation))


def _combined_model(body_params: Sequence[ModelField], name: str) -> type[BaseModel]:
    """Make a model with one field per body parameter; the schemas of form models are merged, not nested."""
    models = [form_models(item) for item in body_params]
    config, fields = None, {item.name: item.field_info for item in body_params}
    if any(models):
        # Named by their places, since two form models may have the same name; the schema gets the real names.
        fields = {f"field_{index}": _form_part(item, f"field_{index}") for index, item in enumerate(body_params)}
        extra = partial(describe_form, list(zip(fields, body_params, models, strict=True)))
        config = ConfigDict(json_schema_extra=extra)
    definitions: dict[str, Any] = {key: (info.annotation, info) for key, info in fields.items()}
    return create_model(name, __config__=config, **definitions)


def _form_part(item: ModelField, placeholder: str) -> FieldInfo:
    info = copy(item.field_info)
    models = form_models(item)
    if len(models) == 1:
        schema = GetPydanticSchema(get_pydantic_json_schema=partial(describe_form_model, models[0]))
        described: Any = Annotated[models[0], schema]
        info.annotation = described if info.annotation is models[0] else described | None
    info.alias = info.validation_alias = info.serialization_alias = placeholder
    info.title = info.title or item.name.replace("_", " ").title()
    return info


def _combined_field(body_params: Sequence[ModelField], model: type[BaseModel]) -> ModelField:
    """Make a field of the combined model: a file if one part is, else a form if one part is, else JSON."""
    sources = [slot_source(item) for item in body_params]
    kind = next(kind for kind in ("file", "form", "body") if kind in sources)
    options: dict[str, Any] = {"annotation": model, "alias": "body"}
    if not any(item.field_info.is_required() for item in body_params):
        options["default"] = None
    parts = [item.field_info for item in body_params if slot_source(item) == kind]
    media_types = {getattr(part, "media_type", None) for part in parts}
    if kind == "form" and _MULTIPART in media_types:
        options["media_type"] = _MULTIPART
    elif kind != "file" and len(media_types) == 1 and media_types != {None}:
        options["media_type"] = media_types.pop()
    # `Body`, `Form` or `File`; a user's subclass may have other arguments.
    marker: Any = next(cls for cls in type(parts[0]).__mro__ if "slot_source" in vars(cls))
    return ModelField(marker(**options), "body")


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
