"""The one field that stands for a whole body: its media type, whether it is required, its schema.

Bodies are never validated through it; each body parameter has a validator of its own. It is made
when the plan is, so that a body that cannot be described fails at the line that registers it.
"""

from collections.abc import Sequence
from copy import copy
from functools import partial
from types import NoneType
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, GetPydanticSchema, create_model
from pydantic.fields import FieldInfo

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import slot_source
from slipstream._engine.plan.form_schema import describe_form, describe_form_model
from slipstream._engine.signature.annotations import is_json, is_subclass, model_of, models_of_union

_MULTIPART = "multipart/form-data"


def should_embed(fields: Sequence[ModelField]) -> bool:
    """Say whether the body is an object with one key per parameter, rather than the one parameter itself.

    Args:
        fields: All body parameters of the endpoint and its dependencies.
    """
    if not fields:
        return False
    first = fields[0]
    # Several dependencies may ask for one and the same parameter: names are counted, not fields.
    if len({item.name for item in fields}) > 1 or _name_means_two_form_models(fields):
        return True
    if getattr(first.field_info, "embed", None):
        return True
    # A form is read by keys; only a model can be the whole of it.
    return is_form(first) and not is_subclass(first.field_info.annotation, BaseModel) and not form_models(first)


def build_body_field(body_params: Sequence[ModelField], *, name: str, embed: bool) -> ModelField | None:
    """Make the field that documents a body.

    Args:
        body_params: All body parameters of the endpoint and its dependencies.
        name: Unique id of the path operation; a combined model is called `Body_` and this.
        embed: What `should_embed` said.

    Returns:
        The parameter itself where it is the whole body, else a field of a model made from all of
        them; None where there are none.
    """
    if not body_params:
        return None
    first = body_params[0]
    if not embed and not any(is_nullable(item) and form_models(item) for item in body_params):
        return first
    model = _combined_model(body_params, f"Body_{name}")
    if embed:
        return _combined_field(body_params, model)
    whole = copy(first.field_info)
    whole.annotation = model
    # Constraints and discriminator already sit on the field inside the model.
    whole.metadata = []
    whole.discriminator = None
    return ModelField(first.name, whole)


def is_form(item: ModelField) -> bool:
    """Whether a parameter is read from a form, as a value or as a file."""
    return slot_source(item) in ("form", "file")


def is_nullable(item: ModelField) -> bool:
    """Whether None is among the choices of a parameter's annotation."""
    return NoneType in get_args(item.field_info.annotation)


def form_models(item: ModelField) -> list[type[BaseModel]]:
    """List the models that a form parameter is read as: one, several for a union, none for a plain value."""
    if not is_form(item) or getattr(item.field_info, "embed", None) or is_json(item.field_info):
        return []
    model = model_of(item.field_info.annotation)
    return [model] if model is not None else list(models_of_union(item.field_info.annotation))


def _name_means_two_form_models(fields: Sequence[ModelField]) -> bool:
    """Whether dependencies use one parameter name for different form models."""
    first = fields[0]
    if not form_models(first):
        return False
    return any(
        not form_models(item) or item.field_info.annotation is not first.field_info.annotation for item in fields[1:]
    )


def _combined_model(body_params: Sequence[ModelField], name: str) -> type[BaseModel]:
    """Make a model with one field per body parameter; form models are merged into it, not nested."""
    if not any(form_models(item) for item in body_params):
        return _model_of({item.name: item.field_info for item in body_params}, name)
    fields = {_placeholder(index): _form_part(item, index) for index, item in enumerate(body_params)}
    models = [form_models(item) for item in body_params]
    extra = partial(describe_form, list(zip(fields, body_params, models, strict=True)))
    return _model_of(fields, name, ConfigDict(json_schema_extra=extra))


def _model_of(fields: dict[str, FieldInfo], name: str, config: ConfigDict | None = None) -> type[BaseModel]:
    definitions: dict[str, Any] = {key: (info.annotation, info) for key, info in fields.items()}
    return create_model(name, __config__=config, **definitions)


def _placeholder(index: int) -> str:
    """Name a parameter by its place; two form models may come under one name."""
    return f"field_{index}"


def _form_part(item: ModelField, index: int) -> FieldInfo:
    """Describe one parameter of a form under a name that no other has; the schema gets real names later."""
    info = copy(item.field_info)
    models = form_models(item)
    if len(models) == 1:
        schema = GetPydanticSchema(get_pydantic_json_schema=partial(describe_form_model, models[0]))
        described: Any = Annotated[models[0], schema]
        info.annotation = described if info.annotation is models[0] else described | None
    info.alias = info.validation_alias = info.serialization_alias = _placeholder(index)
    info.title = info.title or item.name.replace("_", " ").title()
    return info


def _combined_field(body_params: Sequence[ModelField], model: type[BaseModel]) -> ModelField:
    """Wrap the combined model in the most demanding kind of body among its parts: file, form, JSON."""
    sources = [slot_source(item) for item in body_params]
    kind = next(kind for kind in ("file", "form", "body") if kind in sources)
    options: dict[str, Any] = {"annotation": model, "alias": "body"}
    if not any(item.field_info.is_required() for item in body_params):
        options["default"] = None
    parts = [item.field_info for item in body_params if slot_source(item) == kind]
    if kind != "file" and (media_type := _common_media_type(parts, kind)) is not None:
        options["media_type"] = media_type
    return ModelField("body", _marker_class(parts[0])(**options))


def _common_media_type(parts: list[FieldInfo], kind: str) -> str | None:
    """Return the media type that the parts agree on; a form becomes multipart as soon as one part is."""
    media_types = {getattr(part, "media_type", None) for part in parts}
    if kind == "form" and _MULTIPART in media_types:
        return _MULTIPART
    return media_types.pop() if len(media_types) == 1 else None


def _marker_class(info: FieldInfo) -> Any:
    """Return the class that says where the value is read; a user's subclass may want other arguments."""
    return next(cls for cls in type(info).__mro__ if "slot_source" in vars(cls))
