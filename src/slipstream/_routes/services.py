"""FastAPI's classes for the engine: its errors as public exceptions, and its `Services`."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, cast

from pydantic.fields import FieldInfo
from starlette.exceptions import HTTPException as StarletteHTTPException

from slipstream._engine.entry.guard import answer, find, reply_quickly
from slipstream._engine.errors import InvalidFieldType, OldPydanticModel, ScopeMismatch
from slipstream._engine.runtime.response import finite
from slipstream._engine.types import ErrorDetail, Reply, Scope, SlotSource
from slipstream.background import BackgroundTasks
from slipstream.encoders import jsonable_encoder
from slipstream.exceptions import (
    DependencyScopeError,
    EndpointContext,
    FastAPIError,
    PydanticV1NotSupportedError,
    RequestValidationError,
    ResponseValidationError,
    WebSocketRequestValidationError,
)
from slipstream.limits import Limits
from slipstream.params import Body, File, Path, Query
from slipstream.sse import ServerSentEvent, format_sse_event
from slipstream.telemetry._data import SCOPE_KEY

IMPLIED: Final[Mapping[SlotSource, type[FieldInfo]]] = {
    "path": Path,
    "query": Query,
    "body": Body,
    "file": File,
}
"""Class of the marker to use for a parameter without one."""


@contextmanager
def public_errors() -> Iterator[None]:
    """Raise the public exception for an error of the engine."""
    try:
        yield
    except OldPydanticModel as exc:
        raise PydanticV1NotSupportedError(str(exc)) from exc
    except InvalidFieldType as exc:
        raise FastAPIError(str(exc)) from exc
    except ScopeMismatch as exc:
        raise DependencyScopeError(str(exc)) from exc


class PublicServices:
    """The engine's `Services` with FastAPI's classes."""

    def request_error(self, errors: list[ErrorDetail], body: Any, where: dict[str, Any], limits: Limits) -> Exception:
        refusal = RequestValidationError(errors, body=body, endpoint_ctx=cast(EndpointContext, where))
        refusal.limits = limits
        return refusal

    def websocket_error(self, errors: list[ErrorDetail], where: dict[str, Any]) -> Exception:
        return WebSocketRequestValidationError(errors, endpoint_ctx=cast(EndpointContext, where))

    def response_error(self, errors: list[ErrorDetail], body: Any, where: dict[str, Any]) -> Exception:
        error = ResponseValidationError(errors=errors, body=body, endpoint_ctx=cast(EndpointContext, where))
        error.is_located = False
        return error

    def body_error(self, cause: Exception) -> Exception:
        return StarletteHTTPException(status_code=400, detail="There was an error parsing the body")

    def reply_quickly(self, exc: Exception, scope: Scope, reply: Reply) -> bool:
        return reply_quickly(exc, find(exc, scope["app"].handlers_in_force), reply)

    def complete_scope(self, scope: Scope) -> None:
        scope["app"].complete_scope(scope)

    def swallowed_error(self) -> Exception:
        return FastAPIError(
            "No response was made: the application is raising an exception and a dependency with yield catches it "
            "without raising it again.\n"
            "  in the dependency, write `raise` at the end of its except block, or catch a narrower exception"
        )

    def format_event(self, item: Any, dump: Callable[[Any], bytes]) -> bytes:
        """Write an item: a ServerSentEvent with its fields, anything else as data."""
        if not isinstance(item, ServerSentEvent):
            return format_sse_event(data_str=dump(item).decode())
        if item.raw_data is not None or item.data is None:
            data: str | None = item.raw_data
        elif hasattr(item.data, "model_dump_json"):
            data = item.data.model_dump_json()
        else:
            data = json.dumps(finite(jsonable_encoder(item.data)))
        return format_sse_event(data_str=data, event=item.event, id=item.id, retry=item.retry, comment=item.comment)

    observation_key: Final = SCOPE_KEY
    background_tasks = BackgroundTasks
    jsonable = staticmethod(jsonable_encoder)
    fail = staticmethod(answer)


SERVICES: Final = PublicServices()
