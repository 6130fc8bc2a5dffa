"""Server-Sent Events: what an endpoint yields, and how it is written.

Source: HTML Living Standard, 9.2 "Server-sent events".
"""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator
from starlette.responses import StreamingResponse

from slipstream._engine.runtime.stream import KEEPALIVE

KEEPALIVE_COMMENT = KEEPALIVE
"""Sent while an endpoint yields nothing, so that no proxy closes the connection."""

_PING_INTERVAL: float = 15.0
"""Silence, in seconds, before a keep-alive. Change `slipstream.routing._PING_INTERVAL` to have another."""

_SSE_EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "data": {"type": "string"},
        "event": {"type": "string"},
        "id": {"type": "string"},
        "retry": {"type": "integer", "minimum": 0},
    },
}
"""One event as OpenAPI 3.2 (4.14.4) describes it."""


class EventSourceResponse(StreamingResponse):
    """A stream of events. As `response_class` of an endpoint that yields, it makes each item an event."""

    media_type = "text/event-stream"


def _check_line(value: str | None, info: ValidationInfo) -> str | None:
    if value is not None and info.field_name == "id" and "\0" in value:
        raise ValueError("SSE 'id' must not contain null characters")
    if value is not None and ("\r" in value or "\n" in value):
        raise ValueError(f"SSE '{info.field_name}' must be a single line")
    return value


class ServerSentEvent(BaseModel):
    """One event, for endpoints that give it a name, an id or other fields.

    Raises:
        ValidationError: Both `data` and `raw_data` were given, `event` or `id` has several lines, `id`
            has a null character, or `retry` is negative.
    """

    model_config = ConfigDict(defer_build=True)

    data: Any = None
    """Anything that JSON can hold; a string is sent with its quotes."""

    raw_data: str | None = None
    """Text to be sent as it is, instead of `data`."""

    event: Annotated[str | None, AfterValidator(_check_line)] = None
    """Name of the event; browsers take None for `message`."""

    id: Annotated[str | None, AfterValidator(_check_line)] = None
    """What a client that reconnects sends back as `Last-Event-ID`."""

    retry: Annotated[int | None, Field(ge=0)] = None
    """How long a client waits before it reconnects, in milliseconds."""

    comment: str | None = None
    """Text that clients ignore."""

    @model_validator(mode="after")
    def _check_data(self) -> Self:
        if self.data is not None and self.raw_data is not None:
            raise ValueError("Cannot set both 'data' and 'raw_data': one is written as JSON, the other as it is")
        return self


def format_sse_event(
    *,
    data_str: str | None = None,
    event: str | None = None,
    id: str | None = None,  # noqa: A002  # the field's name
    retry: int | None = None,
    comment: str | None = None,
) -> bytes:
    """Write one event, closed by an empty line; the arguments are the fields of `ServerSentEvent`, unchecked.

    `data_str` (its `raw_data`) and `comment` may have several lines.
    """
    lines = [f": {line}" for line in _lines(comment)]
    if event is not None:
        lines.append(f"event: {event}")
    lines += [f"data: {line}" for line in _lines(data_str)]
    if id is not None:
        lines.append(f"id: {id}")
    if retry is not None:
        lines.append(f"retry: {retry}")
    return "\n".join([*lines, "", ""]).encode()


def _lines(text: str | None) -> list[str]:
    """Split where the format does, at CRLF, LF and CR alone; `str.splitlines` knows more line ends."""
    return [] if text is None else text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
