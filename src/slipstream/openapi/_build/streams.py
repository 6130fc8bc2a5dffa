"""How a stream of items is described.

OpenAPI 3.1 has no words for the items of a stream. What is written here is `itemSchema`, of OpenAPI
3.2, as FastAPI does; strictly it does not belong in a 3.1 document. `stream_content` is the one place
to change.
"""

from typing import Any

from slipstream.openapi._build.routes import PathOperation
from slipstream.openapi._build.schemas import FieldSchemas


def stream_content(route: PathOperation, schemas: FieldSchemas) -> dict[str, Any] | None:
    """Describe the content of a response that is a stream; None if the response is no stream of items."""
    item = schemas.of(route.stream_item_field) if route.stream_item_field is not None else None
    if route.is_json_stream:
        return {"application/jsonl": {"itemSchema": item or {}}}
    if route.is_sse_stream:
        return {"text/event-stream": {"itemSchema": _event(item)}}
    return None


def _event(item: dict[str, Any] | None) -> dict[str, Any]:
    """Describe one server-sent event, whose data is an item as JSON if the items have a type."""
    event: dict[str, Any] = {
        "type": "object",
        "properties": {
            "data": {"type": "string"},
            "event": {"type": "string"},
            "id": {"type": "string"},
            "retry": {"type": "integer", "minimum": 0},
        },
    }
    if item is not None:
        data = {"type": "string", "contentMediaType": "application/json", "contentSchema": item}
        event["properties"]["data"] = data
        event["required"] = ["data"]
    return event
