"""The responses of an operation: its own, those declared beside it, and the one for invalid requests."""

import http.client
import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from starlette.responses import JSONResponse

from slipstream.datastructures import DefaultPlaceholder
from slipstream.openapi._build.routes import PathOperation
from slipstream.openapi._build.schemas import FieldSchemas
from slipstream.openapi.constants import REF_PREFIX
from slipstream.sse import _SSE_EVENT_SCHEMA
from slipstream.utils import is_body_allowed_for_status_code

STATUS_RANGES = {
    "1XX": "Information",
    "2XX": "Success",
    "3XX": "Redirection",
    "4XX": "Client Error",
    "5XX": "Server Error",
    "DEFAULT": "Default Response",
}
"""Descriptions of ranges of statuses, unless the user gives others."""

VALIDATION_ERROR = {
    "title": "ValidationError",
    "type": "object",
    "properties": {
        "loc": {"title": "Location", "type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        "msg": {"title": "Message", "type": "string"},
        "type": {"title": "Error Type", "type": "string"},
        "input": {"title": "Input"},
        "ctx": {"title": "Context", "type": "object"},
    },
    "required": ["loc", "msg", "type"],
}
"""Schema of one thing that is wrong with a request."""

HTTP_VALIDATION_ERROR = {
    "title": "HTTPValidationError",
    "type": "object",
    "properties": {
        "detail": {"title": "Detail", "type": "array", "items": {"$ref": f"{REF_PREFIX}ValidationError"}},
    },
}
"""Schema of the answer to an invalid request."""

INVALID_REQUEST_DEFINITIONS = {"ValidationError": VALIDATION_ERROR, "HTTPValidationError": HTTP_VALIDATION_ERROR}

INVALID_REQUEST = {
    "description": "Validation Error",
    "content": {"application/json": {"schema": {"$ref": f"{REF_PREFIX}HTTPValidationError"}}},
}
COVER_INVALID_REQUEST = ("422", "4XX", "default")
"""Statuses of responses that may describe the answer to an invalid request."""


def described(route: PathOperation, schemas: FieldSchemas) -> dict[str, Any]:
    """Describe the responses that a route declares, by status."""
    response_class = response_class_of(route)
    own_status = route.status_code if route.status_code is not None else _default_status(response_class)
    found = {str(own_status): _own_response(route, response_class, schemas)}
    for status, declared in (route.responses or {}).items():
        name = str(status).upper()
        key = "default" if name == "DEFAULT" else name
        known = found.get(key, {})
        response = {key: value for key, value in declared.items() if key != "model"}
        if (field := route.response_fields.get(status)) is not None:
            media_type = response_class.media_type or "application/json"
            response = merged(response, {"content": {media_type: {"schema": schemas.of(field)}}})
        # Raises ValueError for what is neither a number nor a range.
        default = STATUS_RANGES.get(name) or http.client.responses.get(int(status), "Additional Response")
        description = response.get("description") or known.get("description") or default
        found[key] = {**merged(known, response), "description": description}
    return found


def merged(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `extra` over `base`: objects are merged in depth, lists joined, all else replaced."""
    result = dict(base)
    for key, value in extra.items():
        present = result.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            result[key] = merged(present, value)
        elif isinstance(present, list) and isinstance(value, list):
            result[key] = present + value
        else:
            result[key] = value
    return result


def response_class_of(route: PathOperation) -> Any:
    chosen = route.response_class
    return chosen.value if isinstance(chosen, DefaultPlaceholder) else chosen


def _own_response(route: PathOperation, response_class: Any, schemas: FieldSchemas) -> dict[str, Any]:
    response: dict[str, Any] = {"description": route.response_description}
    if is_body_allowed_for_status_code(route.status_code):
        content = _stream_content(route, schemas)
        if content is None and response_class.media_type:
            is_json = isinstance(response_class, type) and issubclass(response_class, JSONResponse)
            schema: dict[str, Any] = {} if is_json else {"type": "string"}
            if is_json and route.response_field is not None:
                schema = schemas.of(route.response_field)
            content = {response_class.media_type: {"schema": schema}}
        if content is not None:
            response["content"] = content
    return response


def _stream_content(route: PathOperation, schemas: FieldSchemas) -> dict[str, Any] | None:
    """Describe the content of a response that is a stream; None if the response is no stream of items.

    `itemSchema` is of OpenAPI 3.2, as FastAPI writes it; a 3.1 document has no words for the items of a stream.
    """
    item = schemas.of(route.stream_item_field) if route.stream_item_field is not None else None
    if route.is_json_stream:
        return {"application/jsonl": {"itemSchema": item or {}}}
    if not route.is_sse_stream:
        return None
    event = _SSE_EVENT_SCHEMA
    if item is not None:
        data = {"type": "string", "contentMediaType": "application/json", "contentSchema": item}
        event = {**event, "properties": {**event["properties"], "data": data}, "required": ["data"]}
    return {"text/event-stream": {"itemSchema": event}}


@lru_cache(maxsize=256)
def _default_status(response_class: Any) -> int:
    """Read the status that a response class has by default from its constructor."""
    parameter = inspect.signature(response_class.__init__).parameters.get("status_code")
    return parameter.default if parameter is not None and isinstance(parameter.default, int) else 200
