"""The request body of an operation."""

from typing import Any

from slipstream._engine.plan.fields import ModelField
from slipstream.openapi._build.parameters import examples
from slipstream.openapi._build.schemas import FieldSchemas


def request_body(field: ModelField | None, schemas: FieldSchemas) -> dict[str, Any] | None:
    """Describe the body that a field stands for; None where nothing is read from the body."""
    if field is None:
        return None
    media_type = getattr(field.field_info, "media_type", "application/json")
    body: dict[str, Any] = {"required": True} if field.required else {}
    body["content"] = {media_type: {"schema": schemas.of(field), **examples(field)}}
    return body
