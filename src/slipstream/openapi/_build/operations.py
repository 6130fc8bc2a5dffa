"""One path operation as the document shows it: an object per method."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import FlatCall, SecurityUse, flat_fields, flatten, param_model, request_names
from slipstream.datastructures import DefaultPlaceholder
from slipstream.encoders import jsonable_encoder
from slipstream.openapi._build import responses
from slipstream.openapi._build.routes import PathOperation, is_path_operation
from slipstream.openapi._build.schemas import FieldSchemas
from slipstream.openapi.constants import METHODS_WITH_BODY


@dataclass(slots=True)
class Gathered:
    """What path operations need in a document: definitions, and schemes, described at the end, by name; ids so far."""

    definitions: dict[str, Any] = field(default_factory=dict)
    security_schemes: dict[str, Any] = field(default_factory=dict)
    operation_ids: set[str] = field(default_factory=set)


def operations_of(route: PathOperation, schemas: FieldSchemas, gathered: Gathered) -> dict[str, Any]:
    """Describe a path operation, by method; warn of an id that is there already."""
    assert route.methods is not None, "Methods must be a list"
    assert responses.response_class_of(route), "A response class is needed to generate OpenAPI"
    if not route.include_in_schema:
        return {}
    operations = {}
    flat = flatten(route.plan.root)
    gathered.security_schemes |= schemes_by_name(flat.security)
    can_be_invalid = bool(flat.params) or route.body_field is not None
    for method in route.methods:
        operation = metadata(route, gathered.operation_ids)
        if required := requirements(flat.security):
            operation["security"] = required
        if listed := parameters(flat, schemas):
            operation["parameters"] = listed
        if method in METHODS_WITH_BODY and route.body_field is not None:
            operation["requestBody"] = request_body(route.body_field, schemas)
        if route.callbacks:
            operation["callbacks"] = _callbacks(route.callbacks, schemas, gathered.operation_ids)
        described = operation["responses"] = responses.described(route, schemas)
        if can_be_invalid and described.keys().isdisjoint(responses.COVER_INVALID_REQUEST):
            described["422"] = responses.INVALID_REQUEST
            gathered.definitions |= responses.INVALID_REQUEST_DEFINITIONS
        if route.openapi_extra:
            operation = responses.merged(operation, route.openapi_extra)
        operations[method.lower()] = operation
    return operations


def metadata(route: PathOperation, operation_ids: set[str]) -> dict[str, Any]:
    """Begin the description of an operation: tags, texts, id, whether it is deprecated."""
    operation: dict[str, Any] = {}
    if route.tags:
        operation["tags"] = list(route.tags)
    operation["summary"] = summary(route)
    if route.description:
        operation["description"] = route.description
    operation_id = operation["operationId"] = route.operation_id or route.unique_id
    if operation_id in operation_ids:
        name = getattr(route.endpoint, "__name__", "<unnamed_endpoint>")
        file = getattr(route.endpoint, "__globals__", {}).get("__file__")
        place = f" at {file}" if file else ""
        warnings.warn(f"Duplicate Operation ID {operation_id} for function {name}{place}", stacklevel=1)
    operation_ids.add(operation_id)
    if route.deprecated:
        operation["deprecated"] = route.deprecated
    return operation


def summary(route: PathOperation) -> str:
    """Return the operation's summary, made from its name if nobody wrote one."""
    return route.summary or route.name.replace("_", " ").title()


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
        whole = outer.field_info
        if not getattr(whole, "include_in_schema", True):
            continue
        # `Model | None = None`: a model that a request may lack.
        model = param_model(outer)
        may_be_absent = model is not None and whole.annotation is not model and not whole.is_required()
        for field in flat_fields([outer]):
            info = field.field_info
            converts = getattr(info, "convert_underscores", getattr(whole, "convert_underscores", True))
            alias, name = request_names(field, convert_underscores=place == "header" and bool(converts))[0]
            parameter: dict[str, Any] = {
                "name": name,
                "in": place,
                "required": info.is_required() and not may_be_absent,
                "schema": schemas.of(field, alias=alias),
            }
            if info.description:
                parameter["description"] = info.description
            parameter |= examples(field)
            if info.deprecated:
                parameter["deprecated"] = True
            yield parameter


def examples(field: ModelField) -> dict[str, Any]:
    """Return the named examples or the one example that a parameter or a body was given, if any."""
    named = getattr(field.field_info, "openapi_examples", None)
    if named:
        return {"examples": jsonable_encoder(named)}
    single = getattr(field.field_info, "example", None)
    if single is None or isinstance(single, DefaultPlaceholder):
        return {}
    return {"example": jsonable_encoder(single)}


def request_body(field: ModelField, schemas: FieldSchemas) -> dict[str, Any]:
    media_type = getattr(field.field_info, "media_type", "application/json")
    body: dict[str, Any] = {"required": True} if field.required else {}
    body["content"] = {media_type: {"schema": schemas.of(field), **examples(field)}}
    return body


def _callbacks(callbacks: Iterable[Any], schemas: FieldSchemas, operation_ids: set[str]) -> dict[str, Any]:
    """Describe what the server will call: by name, then by path. Schemes and errors there are the other side's."""
    return {
        callback.name: {callback.path: operations_of(callback, schemas, Gathered(operation_ids=operation_ids))}
        for callback in callbacks
        if is_path_operation(callback)
    }


def requirements(uses: Iterable[SecurityUse]) -> list[dict[str, list[str]]]:
    """List what an operation requires: each scheme once, with the scopes of all its uses."""
    scopes: dict[str, dict[str, None]] = {}
    for use in uses:
        scopes.setdefault(use.scheme.scheme_name, {}).update(dict.fromkeys(use.scopes))
    return [{name: list(asked)} for name, asked in scopes.items()]


def schemes_by_name(uses: Iterable[SecurityUse]) -> dict[str, Any]:
    """List the schemes in use; of two that share a name, the last counts."""
    return {use.scheme.scheme_name: use.scheme for use in uses}


def scheme_definitions(schemes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: jsonable_encoder(scheme.model, by_alias=True, exclude_none=True) for name, scheme in schemes.items()}
