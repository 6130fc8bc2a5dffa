"""Reading a JSON body: bytes off the wire, text to values, values to parameters."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from slipstream._engine.runtime.body import (
    body_decoder,
    body_reader,
    is_json,
    key_taker,
    whole_taker,
)
from slipstream._engine.runtime.take import Item
from slipstream._engine.runtime.values import UNSET, missing


class Refused(Exception):
    pass


def messages(*parts: dict[str, Any]) -> Any:
    """Make a `receive` that gives these messages."""
    waiting = list(parts)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    return receive


def chunk(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "parts",
    [
        [chunk(b"abcd", False)],
        [chunk(b"ab", True), chunk(b"", True), chunk(b"cd", False)],
        [{"type": "http.request", "body": b"abcd"}],
        [chunk(b"abcd", True), {"type": "http.request"}],
    ],
    ids=["whole", "chunks", "no more_body", "empty end"],
)
async def test_a_body_is_put_together_however_it_comes(parts: list[dict[str, Any]]) -> None:
    """Servers cut bodies where they like, and leave out what ASGI lets them."""
    assert await body_reader(Refused)(messages(*parts)) == b"abcd"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "parts", [[{"type": "http.disconnect"}], [chunk(b"ab", True), {"type": "http.disconnect"}]], ids=["first", "later"]
)
async def test_a_client_that_leaves_is_a_body_that_cannot_be_read(parts: list[dict[str, Any]]) -> None:
    """The endpoint must not be called with half of an order."""
    with pytest.raises(Refused) as caught:
        await body_reader(Refused)(messages(*parts))

    assert isinstance(caught.value.__cause__, ClientDisconnect)


@pytest.mark.anyio
@pytest.mark.parametrize("from_request", [False, True])
async def test_an_http_exception_passes_through(from_request: bool) -> None:
    """A limit on bodies answers 413 by itself."""

    async def receive() -> Any:
        raise HTTPException(413)

    source: Any = Request({"type": "http", "headers": []}, receive) if from_request else receive
    with pytest.raises(HTTPException):
        await body_reader(Refused, from_request=from_request)(source)


@pytest.mark.anyio
async def test_a_body_read_through_the_request_stays_there() -> None:
    """A user's own `await request.body()` must not wait for bytes that are gone."""
    request = Request({"type": "http", "headers": []}, messages(chunk(b"abcd", False)))

    assert await body_reader(Refused, from_request=True)(request) == b"abcd"
    assert await request.body() == b"abcd"


@pytest.mark.parametrize(
    ("content_type", "answer"),
    [
        (b"application/json", True),
        (b"APPLICATION/JSON; charset=utf-8", True),
        (b"application/geo+json", True),
        (b"application/vnd.api+json;x=1", True),
        (b"text/json", False),
        (b"text/plain", False),
        (b"application/jsonx", False),
        (b"application/x-www-form-urlencoded", False),
        (b"nonsense", False),
        (b"\xff\xfe", False),
    ],
)
def test_a_content_type_means_json_or_not(content_type: bytes, answer: bool) -> None:
    """A form on a foreign page can send text/plain without asking; it must not pass for JSON."""
    assert is_json(content_type, True) is is_json(content_type, False) is answer


class Services:
    """Makes exceptions that remember what they were made of."""

    def request_error(self, errors: Any, body: Any, where: Any, limits: Any) -> Exception:
        return Refused("request", errors, body, where)

    def body_error(self, cause: Exception) -> Exception:
        return Refused("body", type(cause))


def decode(raw: bytes, content_type: bytes = b"application/json") -> Any:
    reader = body_decoder(Services(), True, lambda scope: {"path": scope["path"]})  # type: ignore[arg-type]
    return reader(raw, content_type, {"path": "/items"})


@pytest.mark.parametrize("content_type", [None, b""])
def test_a_missing_content_type_is_json_only_where_that_is_allowed(content_type: bytes | None) -> None:
    """Browsers send none for a blob without a type."""
    assert (is_json(content_type, True), is_json(content_type, False)) == (False, True)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_a_json_body_becomes_its_values(value: Any) -> None:
    """As the standard library reads them."""
    assert decode(json.dumps(value).encode()) == value


def test_other_bodies_stay_bytes_and_an_empty_one_is_unset() -> None:
    """A parameter may ask for bytes; a missing body may have a default."""
    assert decode(b"{}", b"text/plain") == b"{}"
    assert decode(b"") is UNSET


def test_a_syntax_error_says_where_in_the_document_it_is() -> None:
    """FastAPI's words: position, reason, and the document for exception handlers."""
    with pytest.raises(Refused) as caught:
        decode(b'{"a": }')

    _, errors, text, _ = caught.value.args
    assert text == '{"a": }'
    assert errors == [
        {
            "type": "json_invalid", "loc": ("body", 6), "msg": "JSON decode error", "input": {},
            "ctx": {"error": "Expecting value"},
        }
    ]  # fmt: skip


def test_errors_of_decoding_become_the_public_ones() -> None:
    """What is not JSON is the client's fault, and so is what is no text, or too deep, or too long a number."""
    seen = []
    for raw in (b"{", b'"\xff"', b"[" * 100_000, b"1" * 5000):
        with pytest.raises(Refused) as caught:
            decode(raw)
        seen.append(caught.value.args)

    assert seen[0][0] == "request"
    assert seen[0][2:] == ("{", {"path": "/items"})
    assert [args[1] for args in seen[1:]] == [UnicodeDecodeError, RecursionError, ValueError]


def item(name: str = "a", *, names: Any = None, default: Any = None) -> Item:
    def check(value: Any, loc: Any) -> tuple[Any, list[Any]]:
        return (value, []) if value != "bad" else (None, [{"loc": loc}])

    return Item(name, names or ((name, name),), False, check, default)


def test_a_parameter_may_be_the_whole_body() -> None:
    """Its errors are those of the body."""
    take = whole_taker(item())

    assert take({"x": 1}) == ({"x": 1}, [])
    assert take("bad") == (None, [{"loc": ("body",)}])
    assert take(UNSET) == (None, [missing(("body",))])


@pytest.mark.parametrize("body", [UNSET, b"bytes", [], 1, None, "text"], ids=repr)
def test_a_body_without_keys_has_no_parameter(body: Any) -> None:
    """Whatever stands in its place, the parameter is missing."""
    assert key_taker(item())(body) == (None, [missing(("body", "a"))])


def test_a_key_is_found_under_the_first_of_its_names() -> None:
    """An alias, and the field's own name where the model takes it too; null is a value."""
    take = key_taker(item(names=(("b", "b"), ("a", "a")), default=lambda: "default"))

    assert take({"a": 1, "b": 2}) == (2, [])
    assert take({"a": 1}) == (1, [])
    assert take({"a": None}) == (None, [])
    assert take({"a": "bad"}) == (None, [{"loc": ("body", "a")}])
    assert take({}) == ("default", [])
