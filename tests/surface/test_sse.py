"""Server-Sent Events against FastAPI's, byte for byte."""

from typing import Any

import fastapi.sse
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from slipstream import sse

lines = st.none() | st.text(st.sampled_from("ab \r\n\u2028:"), max_size=8)


@given(data_str=lines, event=lines, id=lines, retry=st.none() | st.integers(0), comment=lines)
def test_an_event_is_written_as_fastapi_writes_it(**fields: Any) -> None:
    """Line ends are CRLF, LF and CR, and no others."""
    assert sse.format_sse_event(**fields) == fastapi.sse.format_sse_event(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"data": 1, "raw_data": "x"},
        {"event": "a\nb"},
        {"event": "a\rb"},
        {"id": "a\nb"},
        {"id": "a\0b"},
        {"retry": -1},
    ],
)
def test_an_event_that_could_break_the_stream_is_refused(fields: dict[str, Any]) -> None:
    """A line break in a name would start another field."""
    with pytest.raises(ValidationError):
        sse.ServerSentEvent(**fields)
    with pytest.raises(ValidationError):
        fastapi.sse.ServerSentEvent(**fields)


def test_an_event_has_fastapis_fields_and_defaults() -> None:
    """None means: not sent."""
    assert sse.ServerSentEvent().model_dump() == fastapi.sse.ServerSentEvent().model_dump()
    assert sse.ServerSentEvent(data={"a": 1}, event="e", id="1", retry=5, comment="c").retry == 5


def test_the_small_parts_are_fastapis() -> None:
    """Clients and tests know them."""
    assert sse.KEEPALIVE_COMMENT == fastapi.sse.KEEPALIVE_COMMENT
    assert sse._PING_INTERVAL == fastapi.sse._PING_INTERVAL
    assert sse._SSE_EVENT_SCHEMA == fastapi.sse._SSE_EVENT_SCHEMA
    assert sse.EventSourceResponse.media_type == "text/event-stream"
