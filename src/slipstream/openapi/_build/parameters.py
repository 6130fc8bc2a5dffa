"""The parameters of an operation: path, query, header, cookie, over endpoint and dependencies."""

from collections.abc import Iterator
from typing import Any

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import FlatCall, flat_fields, param_model, request_names
from slipstream.datastructures import DefaultPlaceholder
from slipstream.encoders import jsonable_encoder
from slipstream.openapi._build.schemas import FieldSchemas


def parameters(flat: FlatCall, schemas: FieldSchemas) -> list[dict[str, Any]]:
    """Describe the parameters of calls; of several with one name and place, the last required one, else the last."""
    gathered = {}
    required = {}
    for parameter in every_parameter(flat, schemas):
        key = (parameter["in"], parameter["name"])
        gathered[key] = parameter
        if parameter["required"]:
            required[key] = parameter
    return list((gathered | required).values())


def every_parameter(flat: FlatCall, schemas: FieldSchemas) -> Iterator[dict[str, Any]]:
    """Describe the parameters of a tree of calls, those of a parameter model one by one, also where names repeat."""
    places = (("path", flat.path), ("query", flat.query), ("header", flat.header), ("cookie", flat.cookie))
    for place, outer in ((place, outer) for place, declared in places for outer in declared):
        if not getattr(outer.field_info, "include_in_schema", True):
            continue
        # `Model | None = None`: a model that a request may lack.
        model, info = param_model(outer), outer.field_info
        may_be_absent = model is not None and info.annotation is not model and not info.is_required()
        for field in flat_fields([outer]):
            parameter = _parameter(place, field, schemas, convert_underscores=_converts(place, field, outer))
            if may_be_absent:
                parameter["required"] = False
            yield parameter


def _parameter(place: str, field: ModelField, schemas: FieldSchemas, *, convert_underscores: bool) -> dict[str, Any]:
    info = field.field_info
    alias, name = request_names(field, convert_underscores=convert_underscores)[0]
    parameter: dict[str, Any] = {
        "name": name,
        "in": place,
        "required": info.is_required(),
        "schema": schemas.of(field, alias=alias),
    }
    if info.description:
        parameter["description"] = info.description
    parameter |= examples(field)
    if info.deprecated:
        parameter["deprecated"] = True
    return parameter


def _converts(place: str, field: ModelField, outer: ModelField) -> bool:
    """Whether a name's underscores become hyphens; by default a field of a header model follows the model."""
    if place != "header":
        return False
    whole = getattr(outer.field_info, "convert_underscores", True)
    return bool(getattr(field.field_info, "convert_underscores", whole))


def examples(field: ModelField) -> dict[str, Any]:
    """Return the named examples or the one example that a parameter or a body was given, if any."""
    named = getattr(field.field_info, "openapi_examples", None)
    if named:
        return {"examples": jsonable_encoder(named)}
    single = getattr(field.field_info, "example", None)
    if single is None or isinstance(single, DefaultPlaceholder):
        return {}
    return {"example": jsonable_encoder(single)}
