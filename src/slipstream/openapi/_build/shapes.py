"""The final form of each OpenAPI object: which keys come first, and of what kind their values are.

A shape takes a value as it was gathered and returns a copy in which keys stand in the order of the
specification's tables (unknown ones last, as they came), None is left out of objects, bounds are
floats and everything is JSON. A value of another form than the shape expects is copied as it is: it
is the user's own, and tools that read the document say better what is wrong with it.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeAlias

from pydantic import AnyUrl, ValidationError
from pydantic_core import to_jsonable_python

Shape: TypeAlias = Callable[[Any], Any]

_ATOMS = frozenset({str, int, bool, float, type(None)})
_LAST = 1_000


def free(value: Any) -> Any:
    """Copy any value as JSON, without None in its objects."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is dict:
        return {_key(key): free(item) for key, item in value.items() if item is not None}
    if kind is list or kind is tuple:
        return [free(item) for item in value]
    plain = to_jsonable_python(value)
    return free(plain) if type(plain) in (dict, list) else plain


def _key(key: Any) -> str:
    return key if type(key) is str else next(iter(to_jsonable_python({key: None})))


class _Ranks(dict[str, int]):
    """Places of known keys; unknown ones share the last place, so that a stable sort keeps their order."""

    def __missing__(self, key: str) -> int:
        return _LAST


def record(fields: Mapping[str, Shape]) -> Shape:
    """Shape an object with known keys."""
    rank = _Ranks({key: place for place, key in enumerate(fields)}).__getitem__

    def shape(value: Any) -> Any:
        if type(value) is not dict:
            return free(value)
        return {
            _key(key): fields.get(key, free)(item)
            for key in sorted(value, key=rank)
            if (item := value[key]) is not None
        }

    return shape


def map_of(item_shape: Shape) -> Shape:
    """Shape an object whose keys are names."""

    def shape(value: Any) -> Any:
        if type(value) is not dict:
            return free(value)
        return {_key(key): item_shape(item) for key, item in value.items() if item is not None}

    return shape


def list_of(item_shape: Shape) -> Shape:
    """Shape an array."""

    def shape(value: Any) -> Any:
        return [item_shape(item) for item in value] if isinstance(value, (list, tuple)) else free(value)

    return shape


def number(value: Any) -> Any:
    """Write a bound as a float, `1.0` for `1`."""
    return float(value) if type(value) is int else free(value)


def text(value: Any) -> Any:
    """Write a member of an enumeration as its value."""
    return str(value.value) if isinstance(value, Enum) else free(value)


def url(value: Any) -> Any:
    """Write a URL in its normal form."""
    try:
        return str(AnyUrl(value))
    except (ValidationError, TypeError):
        return free(value)


def schema(value: Any) -> Any:
    """Shape a JSON Schema, which may be a mere boolean."""
    return _schema_object(value)


def response(value: Any) -> Any:
    """Shape a response; one without a description is none by the specification's table, and is left alone."""
    is_response = type(value) is dict and isinstance(value.get("description"), str)
    return _response_object(value) if is_response else free(value)


def path_item(value: Any) -> Any:
    """Shape the operations of one path."""
    return _path_item_object(value)


_SCHEMAS = list_of(schema)
_SCHEMA_MAP = map_of(schema)

external_docs = record({"description": free, "url": url})

_schema_object = record(
    {
        "$schema": free,
        "$vocabulary": free,
        "$id": free,
        "$anchor": free,
        "$dynamicAnchor": free,
        "$ref": free,
        "$dynamicRef": free,
        "$defs": _SCHEMA_MAP,
        "$comment": free,
        "allOf": _SCHEMAS,
        "anyOf": _SCHEMAS,
        "oneOf": _SCHEMAS,
        "not": schema,
        "if": schema,
        "then": schema,
        "else": schema,
        "dependentSchemas": _SCHEMA_MAP,
        "prefixItems": _SCHEMAS,
        "items": schema,
        "contains": schema,
        "properties": _SCHEMA_MAP,
        "patternProperties": _SCHEMA_MAP,
        "additionalProperties": schema,
        "propertyNames": schema,
        "unevaluatedItems": schema,
        "unevaluatedProperties": schema,
        "type": free,
        "enum": free,
        "const": free,
        "multipleOf": number,
        "maximum": number,
        "exclusiveMaximum": number,
        "minimum": number,
        "exclusiveMinimum": number,
        "maxLength": free,
        "minLength": free,
        "pattern": free,
        "maxItems": free,
        "minItems": free,
        "uniqueItems": free,
        "maxContains": free,
        "minContains": free,
        "maxProperties": free,
        "minProperties": free,
        "required": free,
        "dependentRequired": free,
        "format": free,
        "contentEncoding": free,
        "contentMediaType": free,
        "contentSchema": schema,
        "title": free,
        "description": free,
        "default": free,
        "deprecated": free,
        "readOnly": free,
        "writeOnly": free,
        "examples": free,
        "discriminator": record({"propertyName": free, "mapping": free}),
        "xml": free,
        "externalDocs": external_docs,
        "example": free,
    }
)

_examples = map_of(record({"summary": free, "description": free, "value": free, "externalValue": url}))
_media_types = map_of(record({"schema": schema, "example": free, "examples": _examples, "encoding": free}))

_PARAMETER_FIELDS: dict[str, Shape] = {
    "description": free,
    "required": free,
    "deprecated": free,
    "style": free,
    "explode": free,
    "allowReserved": free,
    "schema": schema,
    "example": free,
    "examples": _examples,
    "content": _media_types,
}
_headers = map_of(record(_PARAMETER_FIELDS))
_parameters = list_of(record({**_PARAMETER_FIELDS, "name": free, "in": text}))

_response_object = record({"description": free, "headers": _headers, "content": _media_types, "links": free})

_servers = list_of(record({"url": free, "description": free, "variables": free}))

_operation = record(
    {
        "tags": list_of(text),
        "summary": free,
        "description": free,
        "externalDocs": external_docs,
        "operationId": free,
        "parameters": _parameters,
        "requestBody": record({"description": free, "content": _media_types, "required": free}),
        "responses": map_of(response),
        "callbacks": map_of(map_of(path_item)),
        "deprecated": free,
        "security": free,
        "servers": _servers,
    }
)

_VERBS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_path_item_object = record(
    {
        "$ref": free,
        "summary": free,
        "description": free,
        **dict.fromkeys(_VERBS, _operation),
        "servers": _servers,
        "parameters": _parameters,
    }
)

security_scheme = record(
    {
        "type": text,
        "description": free,
        "in": text,
        "name": free,
        "scheme": free,
        "bearerFormat": free,
        "flows": free,
        "openIdConnectUrl": free,
    }
)
