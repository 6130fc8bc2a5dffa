"""What a client gets back when its request does not fit: always an answer, never a large one."""

import json
import time
from typing import Annotated, Any, Literal

import anyio
import fastapi
import pytest
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError as TheirError
from fastapi.testclient import TestClient
from hypothesis import given, strategies as st
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from slipstream.exception_handlers import (
    bounded_errors,
    echo,
    http_exception_handler,
    request_validation_exception_handler,
    websocket_request_validation_exception_handler,
)
from slipstream.exceptions import WebSocketRequestValidationError
from slipstream.limits import COMPATIBLE

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MAX_ECHO = 1024


def _size(value: Any) -> int:
    return len(JSONResponse(value).body)


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


ordinary = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=30)
    | st.text("x\n", min_size=900, max_size=1100),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=9), inner),
)


@given(value=ordinary)
def test_an_ordinary_input_is_echoed_as_fastapi_does_unless_it_is_long(value: Any) -> None:
    """Clients compare; and a form field of eight megabytes need not come back."""
    copy = echo(value, MAX_ECHO)

    assert _size(copy) <= MAX_ECHO
    if _size(value) <= MAX_ECHO:
        assert copy == jsonable_encoder(value)
    else:
        assert "…" in JSONResponse(copy).body.decode()


class Unreadable:
    __slots__ = ()


HOSTILE = {
    "NaN": float("nan"),
    "infinity inside": [1, {"a": float("inf")}],
    "infinity as key": {float("inf"): 1},
    "lone surrogate": "a\ud800b",
    "lone surrogate as key": {"\ud800": 1},
    "bytes": b"\xff\xfe",
    "a million bytes": b"\xff" * 10**6,
    "integer of 5,000 digits": 10**5000,
    "integer of 4,000 digits": 10**4000,
    "eight million characters": "x" * 8_000_000,
    "control characters": "\x00" * 5000,
    "four-byte characters": "😀" * 5000,
    "a million zeros": [0] * 10**6,
    "a million keys": dict.fromkeys(map(str, range(10**6))),
    "long key": {"k" * 100_000: 1},
    "5,000 levels": _nested(5000),
    "no attributes": Unreadable(),
    "tuple as key": {(1, 2): 3},
    "no room for a bracket": ["x" * 1003, []],
    "no room for a key": {"x" * 1000: 1, 12: 3},
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_input_is_echoed_short_and_at_once(value: Any) -> None:
    """Each of these is a 500, a megabyte or a stalled event loop in FastAPI."""
    started = time.perf_counter()

    copy = echo(value, MAX_ECHO)

    assert time.perf_counter() - started < 1
    assert _size(copy) <= MAX_ECHO


def test_at_most_a_hundred_errors_are_listed() -> None:
    """20,000 wrong keys make 2.7 MB otherwise."""
    errors = [
        {"type": "missing", "loc": ("body", f"k{i}"), "msg": "Field required", "input": {}} for i in range(20_000)
    ]

    assert bounded_errors(errors) == jsonable_encoder(errors[: COMPATIBLE.errors])


def test_whatever_a_program_raises_as_errors_is_sent() -> None:
    """`RequestValidationError` takes any list."""
    assert bounded_errors(["text", {"ctx": {"error": ValueError("x")}}]) == ["text", {"ctx": {"error": {}}}]


class Item(BaseModel):
    a: int
    b: list[str] = []
    c: Literal["x", "y"] = "x"


def _client(*, ours: bool) -> TestClient:
    app = fastapi.FastAPI()
    if ours:
        app.add_exception_handler(TheirError, request_validation_exception_handler)  # type: ignore[arg-type]  # same shape

    @app.post("/item")
    def item(item: Item) -> None: ...

    @app.post("/form")
    def form(x: Annotated[int, fastapi.Form()]) -> None: ...

    @app.post("/file")
    def file(x: fastapi.UploadFile) -> None: ...

    @app.get("/query")
    def query(x: int, y: Annotated[list[int], fastapi.Query()]) -> None: ...

    return TestClient(app, raise_server_exceptions=False)


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/item", {"json": {"a": "x", "b": {"k": [1, None]}, "c": "z"}}),
    ("POST", "/item", {"json": [1, 2.5, "é"]}),
    ("POST", "/item", {"content": b"{bad"}),
    ("POST", "/item", {"content": b""}),
    ("POST", "/form", {"data": {"x": "t"}}),
    ("POST", "/form", {"files": {"x": ("f.txt", b"a b\nc d")}}),
    ("POST", "/file", {"data": {"x": "t"}}),
    ("GET", "/query?x=a&y=b&y=c", {}),
]


@pytest.mark.parametrize(("method", "path", "request_options"), REQUESTS)
def test_the_answer_to_an_ordinary_mistake_is_fastapis(method: str, path: str, request_options: dict[str, Any]) -> None:
    """Byte for byte."""
    ours, theirs = (_client(ours=side).request(method, path, **request_options) for side in (True, False))

    assert ours.status_code == theirs.status_code == 422
    assert ours.content == theirs.content


def test_a_body_that_is_no_text_gets_a_422() -> None:
    """FastAPI fails to encode its own error and answers 500."""
    answer = _client(ours=True).post("/item", content=b"\xff\xfe", headers={"content-type": "text/plain"})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["input"] == "\\xff\\xfe"


@pytest.mark.parametrize("detail", ["a\ud800", float("nan"), _nested(5000)], ids=["surrogate", "nan", "nested"])
def test_an_http_exception_that_quotes_the_client_is_sent(detail: Any) -> None:
    """`HTTPException(404, f"no {name}")` must not become a 500 by what `name` is."""
    answer = anyio.run(http_exception_handler, Request({"type": "http"}), HTTPException(404, detail, {"x-a": "b"}))

    assert (answer.status_code, answer.headers["x-a"]) == (404, "b")
    assert "detail" in json.loads(bytes(answer.body))


def test_a_status_without_a_body_gets_none() -> None:
    """204, 304 and their like."""
    answer = anyio.run(http_exception_handler, Request({"type": "http"}), HTTPException(304))

    assert (answer.status_code, answer.body) == (304, b"")


class Socket:
    closed: Any = None

    async def close(self, *, code: int, reason: Any) -> None:
        self.closed = (code, reason)


@pytest.mark.anyio
@pytest.mark.parametrize("count", [1, 2, 50])
@pytest.mark.parametrize("text", ["q", "é" * 40, "x" * 5000])
async def test_a_websocket_that_does_not_fit_is_closed_with_errors_that_a_frame_holds(count: int, text: str) -> None:
    """1008, policy violation; JSON in any case."""
    socket: Any = Socket()
    errors = [{"loc": ("query", text), "type": "missing", "msg": "m", "input": text}] * count

    await websocket_request_validation_exception_handler(socket, WebSocketRequestValidationError(errors))

    code, reason = socket.closed
    assert code == 1008
    assert len(reason.encode()) <= 123
    assert [error["type"] for error in json.loads(reason)] in [["missing"] * told for told in range(count + 1)]
    assert json.loads(reason) or len(text) > 20


@pytest.mark.parametrize("limit", range(14, 60))
def test_an_echo_keeps_to_any_limit(limit: int) -> None:
    """Wherever the cut falls: in a key, between items, before a bracket, in a number."""
    value = [{"ab": [1, [], {"c": {}}], 7: {"d": "\n"}}, {}, [[], 12345], "é", {(1,): 2}, "_", {"_sa": 1, "e": None}]

    assert _size(echo(value, limit)) <= limit


@given(
    st.one_of(
        st.none(), st.integers(), st.booleans(), st.text(max_size=60), st.text("a\n\x00", max_size=60),
        st.lists(st.none() | st.integers() | st.text("ab\n\xe4", max_size=4), max_size=40).map(tuple),
    ),
    st.integers(30, 300),
)  # fmt: skip
def test_a_short_value_is_echoed_if_it_fits_and_keeps_to_the_limit_if_not(value: Any, limit: int) -> None:
    """Most errors are short, and are not counted byte by byte."""
    copy = echo(value, limit)

    assert _size(copy) <= limit
    assert _size(value) > limit or copy == json.loads(json.dumps(value))
