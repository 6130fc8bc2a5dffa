"""From a result to bytes: the same bytes as FastAPI's, whichever way they are written."""

import json
import math
from typing import Any

import pytest
from fastapi.encoders import jsonable_encoder as their_encoder
from hypothesis import example, given, strategies as st
from pydantic import BaseModel, TypeAdapter
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.responses import JSONResponse, PlainTextResponse, Response

from slipstream._engine.runtime.response import (
    RESPONSE_STARTED,
    blank_response,
    dump,
    finite,
    has_body,
    json_messages,
    json_response,
    plain_encoder,
    respond,
    respond_open,
    result_checker,
    result_wrapper,
)
from slipstream.encoders import jsonable_encoder

texts = st.text(st.characters(codec="utf-8"))
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
jsonable = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)

encode = plain_encoder(jsonable_encoder)


def their_bytes(value: Any) -> bytes:
    """What FastAPI sends for a result without a response model."""
    return bytes(JSONResponse(their_encoder(value)).body)


@given(plain)
@example({"_sa_instance_state": 1, "a": 2})
@example({"\u2028": '\x7f\x00"\\/'})
@example(2**200)
def test_plain_values_are_written_as_fastapi_writes_them(value: Any) -> None:
    """They skip the encoder; the client must not be able to tell."""
    assert encode(value) == their_bytes(value)


@given(jsonable)
@example(1e16)
@example(-0.0)
@example((1, (2, {"a": (3,)})))
def test_other_values_are_written_as_fastapi_writes_them(value: Any) -> None:
    """Floats and tuples go the longer way, since Pydantic's writer would write some otherwise."""
    assert encode(value) == their_bytes(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.nan, b"null"), ([math.inf, {"a": -math.inf}], b'[null,{"a":null}]'), ("\ud800", b'"\\ud800"'),
     ({"\udfff": (math.nan, 1)}, None)],
)  # fmt: skip
def test_what_json_lacks_is_no_server_error(value: Any, text: bytes | None) -> None:
    """Bad input that an endpoint echoes must not become a 500, as it does in FastAPI."""
    assert json.loads(dump(value)) is not False
    assert json.loads(encode(value)) is not False
    if text is not None:
        assert (dump(value), encode(value)) == (text, text)


def test_a_value_too_deep_for_pydantics_writer_goes_the_longer_way() -> None:
    """It refuses at a depth that `json` still writes."""
    value: Any = 1
    for _ in range(300):
        value = [value]

    assert encode(value) == b"[" * 300 + b"1" + b"]" * 300


def test_finite_replaces_numbers_that_are_none_all_the_way_down() -> None:
    """And leaves the rest as it is."""
    assert finite({"a": [math.nan, (1.5, math.inf)], "b": "x"}) == {"a": [None, [1.5, None]], "b": "x"}


@pytest.mark.parametrize(("status", "allowed"), [(200, True), (199, False), (204, False), (205, False), (304, False)])
def test_some_statuses_allow_no_body(status: int, allowed: bool) -> None:
    """A body after a 204 would be taken for the next response on the connection."""
    assert has_body(status) is allowed


def test_messages_carry_the_injected_headers_after_their_own() -> None:
    """The order in which FastAPI sends them."""
    start, end = json_messages(b"{}", 201, [(b"x-a", b"1")])

    assert start == {
        "type": "http.response.start",
        "status": 201,
        "headers": [(b"content-length", b"2"), (b"content-type", b"application/json"), (b"x-a", b"1")],
    }
    assert end == {"type": "http.response.body", "body": b"{}"}


def test_messages_of_a_status_without_body_have_none() -> None:
    """The injected response may set 204 after the result was made."""
    start, end = json_messages(b"{}", 204, [])

    assert start["headers"] == [(b"content-type", b"application/json")]
    assert end["body"] == b""


def test_the_injected_response_begins_without_status_and_length() -> None:
    """Its headers are added to those of the real one: a length of its own would contradict it."""
    response = blank_response()

    assert response.status_code is None
    assert response.headers.raw == []


def test_a_result_is_put_into_the_response_class_with_what_was_injected() -> None:
    """Status by the endpoint wins over status by the route; background tasks go along."""
    wrap = result_wrapper(PlainTextResponse, str.upper, 201)
    injected, tasks = blank_response(), object()
    injected.status_code = 202
    injected.headers["x-a"] = "1"

    plain_reply, full_reply = wrap("a"), wrap("a", response=injected, background=tasks)

    assert (plain_reply.status_code, plain_reply.body) == (201, b"A")
    assert (full_reply.status_code, full_reply.headers["x-a"], full_reply.background) == (202, "1", tasks)


@pytest.mark.anyio
async def test_a_response_stays_as_it_is_except_for_background_tasks() -> None:
    """Who makes a Response has said everything; a twin runs its task and the injected ones, since it may be shared."""
    wrap = result_wrapper(PlainTextResponse, str, None)
    ran: list[str] = []
    tasks = BackgroundTasks([BackgroundTask(ran.append, "injected")])
    bare, busy = Response(), Response(background=BackgroundTask(ran.append, "own"))

    assert wrap(bare) is bare
    assert wrap(bare, background=tasks).background is tasks
    await wrap(busy, background=tasks).background()

    assert ran == ["own", "injected"]
    assert bare.background is None


def test_a_status_without_body_empties_the_response() -> None:
    """The class may have written something for None."""
    assert result_wrapper(JSONResponse, lambda value: value, 204)(None).body == b""


def test_a_result_that_its_model_refuses_is_the_programs_fault() -> None:
    """The error says where in the response it is, and keeps the result for the log."""

    class Item(BaseModel):
        name: str

    class Refused(Exception):
        pass

    check = result_checker(TypeAdapter(Item).validator.validate_python, lambda errors, result: Refused(errors, result))

    assert check({"name": "a"}) == Item(name="a")
    with pytest.raises(Refused) as caught:
        check({"name": 1})
    errors, result = caught.value.args
    assert (errors[0]["loc"], result) == (("response", "name"), {"name": 1})


def test_json_bytes_become_a_response_with_the_usual_type() -> None:
    """Route classes get an object in place of messages."""
    response = json_response(b"{}", status_code=201)

    assert (response.status_code, response.body, response.media_type) == (201, b"{}", "application/json")


async def nothing() -> Any: ...


class Broken(Response):
    """Sends its start, then fails."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("midway")


@pytest.mark.anyio
async def test_a_response_that_fails_midway_leaves_word_in_the_scope() -> None:
    """A handler must know that it is too late for an answer."""
    sent: list[Any] = []
    scope: Any = {"type": "http"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    with pytest.raises(ValueError, match="midway"):
        await respond_open(Broken(), scope, nothing, send)

    assert sent == ["http.response.start"]
    assert scope[RESPONSE_STARTED] is True


@pytest.mark.anyio
async def test_an_exception_while_responding_is_answered_by_the_registered_handlers() -> None:
    """Such as a file that is gone by the time it is sent; nothing has gone out then."""

    class Gone(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            raise FileNotFoundError

    failures: list[Any] = []

    async def fail(exc: Exception, scope: Any, receive: Any, send: Any, *, started: bool) -> None:
        failures.append((type(exc), started))

    async def send(message: Any) -> None: ...

    await respond(Gone(), {"type": "http"}, nothing, send, fail)
    await respond(Broken(), {"type": "http"}, nothing, send, fail)

    assert failures == [(FileNotFoundError, False), (ValueError, True)]


@pytest.mark.anyio
async def test_background_tasks_run_after_the_response_that_has_none_of_its_own() -> None:
    """`BackgroundTasks` as a parameter, and a Response as the result."""
    events: list[str] = []

    async def tasks() -> None:
        events.append("tasks")

    async def send(message: Any) -> None:
        events.append(message["type"])

    await respond_open(PlainTextResponse("a"), {"type": "http"}, nothing, send, tasks)

    assert events == ["http.response.start", "http.response.body", "tasks"]
