"""Starlette's responses, the event stream, and JSON as orjson and ujson write it."""

import dataclasses
import datetime
import enum
import importlib
import json
import math
import uuid
from typing import Any

from pydantic_core import to_json
from starlette.responses import (
    FileResponse as FileResponse,
    HTMLResponse as HTMLResponse,
    JSONResponse as JSONResponse,
    PlainTextResponse as PlainTextResponse,
    RedirectResponse as RedirectResponse,
    Response as Response,
    StreamingResponse as StreamingResponse,
)
from typing_extensions import deprecated

from slipstream.exceptions import FastAPIDeprecationWarning
from slipstream.sse import EventSourceResponse as EventSourceResponse


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


orjson: Any = _imported("orjson")
ujson: Any = _imported("ujson")


def _deprecated(name: str) -> deprecated:
    message = f"{name} is deprecated: with a return type or response model, Pydantic writes the JSON, and faster"
    return deprecated(message, category=FastAPIDeprecationWarning)


@_deprecated("UJSONResponse")
class UJSONResponse(JSONResponse):
    """JSON as ujson writes it (slashes escaped), whether or not that package is installed."""

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        if ujson is not None:
            encoded: str = ujson.dumps(content, ensure_ascii=False)
        else:
            encoded = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
        return encoded.encode()


@_deprecated("ORJSONResponse")
class ORJSONResponse(JSONResponse):
    """JSON as orjson writes it, whether or not that package is installed.

    Beyond plain JSON it takes dates, times, UUIDs, enums, dataclasses, keys that are not strings and
    (installed) numpy arrays; NaN and infinities become null.
    """

    def render(self, content: Any) -> bytes:
        """Encode the content; raise TypeError for an object of another type."""
        if orjson is not None:
            encoded: bytes = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
            return encoded
        return to_json(_plain(content))


def _plain(value: Any) -> Any:
    """Reduce what orjson takes to what JSON has."""
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_plain_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = (each.name for each in dataclasses.fields(value) if not each.name.startswith("_"))
        return {name: _plain(getattr(value, name)) for name in shown}
    raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")


def _plain_key(key: Any) -> str:
    plain = _plain(key)
    return plain if isinstance(plain, str) else to_json(plain).decode()
