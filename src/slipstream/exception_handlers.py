"""The answers to HTTP exceptions and to invalid requests.

An answer contains the client's input. That echo is bounded and can always be encoded, however odd or large the input
is. For ordinary input it is what `jsonable_encoder` returns.
"""

import json
import math
from collections import deque
from collections.abc import Iterable
from enum import Enum
from itertools import islice
from typing import Any

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.status import HTTP_422_UNPROCESSABLE_CONTENT, WS_1008_POLICY_VIOLATION
from starlette.websockets import WebSocket

from slipstream._app.refresh import is_as_written
from slipstream._engine.entry.guard import MAX_REASON, QUICK
from slipstream._engine.runtime.plain import is_plain
from slipstream._engine.runtime.response import JSON_HEADERS, reply_whole
from slipstream._engine.types import Reply
from slipstream.encoders import jsonable_encoder
from slipstream.exceptions import RequestValidationError, WebSocketRequestValidationError
from slipstream.limits import COMPATIBLE, Limits
from slipstream.utils import is_body_allowed_for_status_code

MAX_DETAIL = 16 * 1024
"""Bytes of JSON that any other part of an error takes."""

MAX_UNENCODABLE_DETAIL = 1024 * 1024
"""Bytes of JSON that the detail of an `HTTPException` takes, if it cannot be encoded as it is."""

MAX_DEPTH = 100
"""Levels of nesting that are echoed."""


async def http_exception_handler(request: Request, exc: HTTPException) -> Response:
    """Answer an `HTTPException` with its status, headers and `{"detail": …}`."""
    return _http_response(exc)


def _http_response(exc: HTTPException) -> Response:
    headers = getattr(exc, "headers", None)
    if not is_body_allowed_for_status_code(exc.status_code):
        return Response(status_code=exc.status_code, headers=headers)
    try:
        return JSONResponse({"detail": exc.detail}, status_code=exc.status_code, headers=headers)
    except (ValueError, RecursionError):  # NaN, a lone surrogate, endless nesting: often the client's own words
        detail = echo(exc.detail, MAX_UNENCODABLE_DETAIL)
        return JSONResponse({"detail": detail}, status_code=exc.status_code, headers=headers)


async def request_validation_exception_handler(request: Request, exc: RequestValidationError) -> JSONResponse:
    """Answer an invalid request with 422 and the list of errors."""
    detail = bounded_errors(exc.errors(), getattr(exc, "limits", COMPATIBLE))  # FastAPI's own class has none
    return JSONResponse({"detail": detail}, status_code=HTTP_422_UNPROCESSABLE_CONTENT)


async def websocket_request_validation_exception_handler(
    websocket: WebSocket, exc: WebSocketRequestValidationError
) -> None:
    """Close a WebSocket whose handshake is invalid, with code 1008 and errors as JSON as the reason.

    The reason has as much as a close frame holds: all of each error, or its place and type, of all or some.
    """
    errors = bounded_errors(exc.errors())
    places = [
        {key: error[key] for key in ("loc", "type") if key in error} for error in errors if isinstance(error, dict)
    ]
    for told in (errors, *(places[:count] for count in range(len(places), -1, -1))):
        reason = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        if len(reason.encode(errors="replace")) <= MAX_REASON:
            break
    await websocket.close(code=WS_1008_POLICY_VIOLATION, reason=reason)


def _reply_http(exc: HTTPException, reply: Reply) -> bool:
    """Do what `http_exception_handler` and its response do."""
    status, detail = exc.status_code, exc.detail
    is_usual = status in range(200, 600) and is_body_allowed_for_status_code(status)
    has_headers = bool(getattr(exc, "headers", None))
    if is_usual and not has_headers and type(detail) is str and detail.isascii() and _is_as_written():
        return reply(status, JSON_HEADERS, b'{"detail":%b}' % to_json(detail))
    return reply_whole(_http_response(exc), reply)


def _reply_invalid(exc: RequestValidationError, reply: Reply) -> bool:
    """Do what `request_validation_exception_handler` and its response do."""
    content = {"detail": bounded_errors(exc.errors(), getattr(exc, "limits", COMPATIBLE))}
    if is_plain(content) and _is_as_written():
        return reply(HTTP_422_UNPROCESSABLE_CONTENT, JSON_HEADERS, to_json(content))
    return reply_whole(JSONResponse(content, HTTP_422_UNPROCESSABLE_CONTENT), reply)


def _is_as_written() -> bool:
    """Whether no tool has replaced, now or before the import, what makes a JSONResponse and sends it."""
    return _WAS_WRITTEN and _parts() == _AS_WRITTEN


def _parts() -> tuple[Any, ...]:
    cls = JSONResponse
    return cls, cls.__init__, cls.__call__, cls.render, cls.init_headers, cls.media_type, Response.__init__


_AS_WRITTEN = _parts()
_WAS_WRITTEN = is_as_written(JSONResponse) and is_as_written(Response) and JSONResponse.media_type == "application/json"
QUICK[id(http_exception_handler)] = _reply_http
QUICK[id(request_validation_exception_handler)] = _reply_invalid


def bounded_errors(errors: Iterable[Any], limits: Limits = COMPATIBLE) -> list[Any]:
    """Make a bounded list of errors that can always be encoded."""
    bounds = {"input": limits.error_echo, "loc": COMPATIBLE.error_echo}
    return [
        {key: echo(value, bounds.get(key, MAX_DETAIL)) for key, value in error.items()}
        if isinstance(error, dict)
        else echo(error, MAX_DETAIL)
        for error in islice(errors, limits.errors)
    ]


def echo(value: Any, limit: int | None) -> Any:
    """Copy a value so that its JSON takes at most `limit` bytes, or a mark; equal to the value where that is enough."""
    limit = MAX_DETAIL if limit is None else limit
    if limit < _ROOM_FOR_MARK:
        return _MARK
    if _most(value) <= limit:
        return value
    if type(value) is tuple and len(value) < _MOST_QUICK and sum(map(_most, value), 2 + len(value)) <= limit:
        return list(value)
    whole = _Echo(limit)
    copy = whole.of(value)
    return _Echo(limit - _ROOM_FOR_MARK).of(value) if whole.is_cut else copy


def _most(value: Any) -> float:
    """Return how many bytes of JSON a value takes at most; infinity if that is not quickly known."""
    if type(value) is str:
        return 6 * len(value) + 2 if value.isascii() else math.inf  # a control character takes six
    return 20 if value is None or (type(value) is int and value.bit_length() < _QUICK_BITS) else math.inf


_MOST_QUICK = 32
_QUICK_BITS = 60
_MARK = "…"
_ROOM_FOR_MARK = len(json.dumps([0, {_MARK: _MARK}], ensure_ascii=False).encode())


class _Echo:
    """Copies one value until `limit` bytes of JSON are full, so that its time is bounded as well."""

    def __init__(self, limit: int) -> None:
        self.left = limit
        self.is_cut = False

    def of(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bytes):
            return self._text(value[: self.left + 1].decode(errors="backslashreplace"))
        if isinstance(value, float) and not math.isfinite(value):
            return self._text(json.dumps(value))  # NaN and Infinity are no JSON; as strings they are
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            return self._text(f"<integer of {value.bit_length()} bits>")
        if value is None or isinstance(value, (int, float)):
            return value if self._fits(len(json.dumps(value))) else _MARK
        if depth >= MAX_DEPTH:
            return _MARK
        if isinstance(value, dict):
            return self._object(value, depth + 1)
        if isinstance(value, (list, tuple, set, frozenset, deque)):
            return self._array(value, depth + 1)
        try:
            encoded = jsonable_encoder(value)
        except Exception:  # an object that nothing can encode is named by its type
            encoded = f"<{type(value).__name__}>"
        return self.of(encoded, depth + 1)

    def _fits(self, size: int) -> bool:
        self.is_cut = self.is_cut or size > self.left
        self.left = 0 if self.is_cut else self.left - size
        return not self.is_cut

    def _text(self, value: str) -> str:
        piece = value[: self.left].encode(errors="backslashreplace").decode()  # lone surrogates are no UTF-8
        size = _size(piece)
        if len(value) <= self.left and self._fits(size):
            return piece
        while piece and size > self.left:
            piece = piece[: len(piece) * self.left // size]
            size = _size(piece)
        self._fits(self.left + 1)
        return piece + _MARK

    def _array(self, items: Iterable[Any], depth: int) -> list[Any]:
        if not self._fits(len("[]")):
            return [_MARK]
        copy: list[Any] = []
        for item in items:
            if copy and not self._fits(len(",")):
                copy.append(_MARK)
                break
            copy.append(self.of(item, depth))
            if self.is_cut:
                break
        return copy

    def _object(self, items: dict[Any, Any], depth: int) -> dict[Any, Any]:
        if not self._fits(len("{}")):
            return {_MARK: _MARK}
        copy: dict[Any, Any] = {}
        for key, item in items.items():
            if isinstance(key, str) and key.startswith("_sa"):
                continue  # as jsonable_encoder does
            name = self.of(key, depth)
            if not isinstance(name, (str, int, float, type(None))):
                name = self._text(str(name))
            quotes = "" if isinstance(name, str) else '""'  # a key that is no string gets them
            if not self._fits(len((",:" if copy else ":") + quotes)):
                copy[_MARK] = _MARK
                break
            copy[name] = self.of(item, depth)
            if self.is_cut:
                break
        return copy


_MOST_BITS = 14_000  # Python writes integers of up to 4,300 digits by default


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())
