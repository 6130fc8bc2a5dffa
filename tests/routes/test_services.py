"""What the engine borrows from the public floors: exceptions in FastAPI's classes, encoding, framing of events."""

from decimal import Decimal
from typing import Any

import pydantic
import pytest

from slipstream import BackgroundTasks, HTTPException
from slipstream._engine.entry.guard import answer
from slipstream._routes.services import IMPLIED, SERVICES
from slipstream.exceptions import (
    FastAPIError,
    RequestValidationError,
    ResponseValidationError,
    WebSocketRequestValidationError,
)
from slipstream.limits import COMPATIBLE
from slipstream.params import Body, File, Path, Query
from slipstream.sse import ServerSentEvent

ERRORS: Any = [{"type": "missing", "loc": ("query", "q"), "msg": "Field required", "input": None}]
WHERE = {"function": "endpoint", "file": "app.py", "line": 3, "path": "GET /x"}


class Item(pydantic.BaseModel):
    name: str = "n"


def dump(value: Any) -> bytes:
    return f"dumped {value}".encode()


def test_errors_are_of_fastapis_classes_and_keep_their_facts() -> None:
    """Handlers are registered for the classes, and read `errors()` and `body`."""
    request = SERVICES.request_error(ERRORS, {"b": 1}, WHERE, COMPATIBLE)
    response = SERVICES.response_error(ERRORS, {"b": 1}, WHERE)
    socket = SERVICES.websocket_error(ERRORS, WHERE)

    assert isinstance(request, RequestValidationError)
    assert isinstance(response, ResponseValidationError)
    assert isinstance(socket, WebSocketRequestValidationError)
    assert list(request.errors()) == list(response.errors()) == list(socket.errors()) == ERRORS
    assert request.body == response.body == {"b": 1}
    assert 'File "app.py", line 3, in endpoint' in str(request)


def test_a_body_that_cannot_be_read_is_a_400() -> None:
    """With FastAPI's sentence, which clients may know."""
    error = SERVICES.body_error(ValueError("detail of the parser"))

    assert getattr(error, "status_code", None) == 400
    assert getattr(error, "detail", None) == "There was an error parsing the body"
    assert issubclass(HTTPException, type(error))  # a handler for FastAPI's own class need not see it


def test_a_swallowed_exception_says_what_to_write() -> None:
    """The dependency that kept it is not on the traceback."""
    error = SERVICES.swallowed_error()

    assert isinstance(error, FastAPIError)
    assert "write `raise` at the end of its except block" in str(error)


def test_the_rest_is_lent_as_it_is() -> None:
    """The engine imports none of these."""
    assert type(SERVICES.background_tasks()) is BackgroundTasks
    assert SERVICES.jsonable({"a": Decimal("1.5"), "b": Item()}) == {"a": 1.5, "b": {"name": "n"}}
    assert SERVICES.fail is answer
    assert {"path": Path, "query": Query, "body": Body, "file": File} == IMPLIED


@pytest.mark.parametrize(
    ("item", "framed"),
    [
        (3, b"data: dumped 3\n\n"),
        (ServerSentEvent(data={"a": float("nan")}), b'data: {"a": null}\n\n'),
        (ServerSentEvent(data=Item()), b'data: {"name":"n"}\n\n'),
        (ServerSentEvent(data="text"), b'data: "text"\n\n'),
        (ServerSentEvent(raw_data="two\nlines", event="e", id="1", retry=5),
         b"event: e\ndata: two\ndata: lines\nid: 1\nretry: 5\n\n"),
        (ServerSentEvent(comment="alive"), b": alive\n\n"),
    ],
    ids=["a plain item", "data", "a model", "a string", "everything said", "a comment alone"],
)  # fmt: skip
def test_items_are_framed_as_events(item: Any, framed: bytes) -> None:
    """A ServerSentEvent says how; anything else is data."""
    assert SERVICES.format_event(item, dump) == framed
