"""Exceptions that an endpoint may raise, and those that the framework raises."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict

from pydantic import BaseModel, create_model
from starlette.exceptions import (
    HTTPException as StarletteHTTPException,
    WebSocketException as StarletteWebSocketException,
)

from slipstream._engine.errors import (
    DefinitionError as DefinitionError,
    DefinitionWarning as DefinitionWarning,
    SlipstreamError as SlipstreamError,
)
from slipstream._engine.types import Scope
from slipstream.limits import COMPATIBLE, Limits

_PHRASES = {status.value: status.phrase for status in HTTPStatus}  # importing http.client for them takes long


class EndpointContext(TypedDict, total=False):
    """Which path operation an error belongs to; printed with it."""

    function: str
    """Name of the endpoint."""

    path: str
    """Method and path, such as `GET /items/{item_id}`."""

    file: str
    """File that defines it."""

    line: int
    """Line of the definition."""


class HTTPException(StarletteHTTPException):
    """Raise it to answer a request with an error.

    Args:
        detail: What the answer's `detail` key holds: anything that JSON can. Default: the status's phrase, or "" if
            it has none.
    """

    def __init__(self, status_code: int, detail: Any = None, headers: Mapping[str, str] | None = None) -> None:
        if detail is None:
            detail = _PHRASES.get(status_code, "")  # Starlette 1.6 raises a ValueError if there is no phrase
        super().__init__(status_code=status_code, detail=detail, headers=headers)


class WebSocketException(StarletteWebSocketException):
    """Raise it to close a WebSocket.

    Args:
        code: Close code, as RFC 6455 (section 7.4) defines them.
        reason: Text for the client, at most 123 bytes of UTF-8.
    """


class FastAPIError(SlipstreamError, RuntimeError):
    """The framework was used in a way that it does not support."""


class DependencyScopeError(FastAPIError):
    """A dependency of scope "request" needs one of scope "function", which is closed before it."""


class ValidationException(Exception):
    """Data is invalid.

    Args:
        errors: What is wrong, one dict (`type`, `loc`, `msg`, `input`, `ctx`) per error.
        endpoint_ctx: The path operation concerned.
    """

    def __init__(self, errors: Sequence[Any], *, endpoint_ctx: EndpointContext | None = None) -> None:
        self._errors = errors
        self.endpoint_ctx = endpoint_ctx

        known = endpoint_ctx or {}
        self.endpoint_function = known.get("function")
        self.endpoint_path = known.get("path")
        self.endpoint_file = known.get("file")
        self.endpoint_line = known.get("line")

    is_located = True
    """Whether the path has the request's method, and the path of the mount that served it."""

    def locate(self, scope: Scope) -> None:
        """Put the request's method and the path of the mount before the path, once."""
        if not self.is_located and self.endpoint_ctx is not None:
            path = self.endpoint_ctx["path"].partition(" ")[2]
            method, root_path = scope.get("method", "WS"), scope.get("root_path", "").rstrip("/")
            self.endpoint_path = self.endpoint_ctx["path"] = f"{method} {root_path}{path}"
            self.is_located = True

    def errors(self) -> Sequence[Any]:
        """List what is wrong."""
        return self._errors

    def __str__(self) -> str:
        count = len(self._errors)
        lines = [f"{count} validation error{'' if count == 1 else 's'}:", *(f"  {error}" for error in self._errors)]
        if self.endpoint_file and self.endpoint_line and self.endpoint_function:
            lines += ["", f'  File "{self.endpoint_file}", line {self.endpoint_line}, in {self.endpoint_function}']
            if self.endpoint_path:
                lines.append(f"    {self.endpoint_path}")
        elif self.endpoint_path:
            lines += ["", f"  Endpoint: {self.endpoint_path}"]
        return "\n".join(lines)


class _BodyValidationException(ValidationException):
    """A body is invalid; `body` is the body as it was read, or what the endpoint returned."""

    def __init__(self, errors: Sequence[Any], *, body: Any = None, endpoint_ctx: EndpointContext | None = None) -> None:
        super().__init__(errors, endpoint_ctx=endpoint_ctx)
        self.body = body


class RequestValidationError(_BodyValidationException):
    """An HTTP request does not fit its path operation; answered with 422, within `limits`."""

    limits: Limits = COMPATIBLE


class WebSocketRequestValidationError(ValidationException):
    """A WebSocket handshake does not fit its path operation; closed with 1008."""


class ResponseValidationError(_BodyValidationException):
    """What an endpoint returned does not fit its response model: the program is wrong, not the request."""


class PydanticV1NotSupportedError(FastAPIError):
    """A `pydantic.v1` model was given; only Pydantic 2 models are understood."""


class FastAPIDeprecationWarning(UserWarning):
    """Something that still works and will go; a `UserWarning`, since Python hides `DeprecationWarning`."""


def _made(name: str) -> type[BaseModel]:
    if name not in ("RequestErrorModel", "WebSocketErrorModel"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    model = globals()[name] = create_model(name.removesuffix("ErrorModel"))
    return model


# FastAPI's models, made for those who ask; in `globals()`, or a type checker would take every misspelt attribute.
globals()["__getattr__"] = _made
