"""The way without Starlette's private names."""

from typing import Any

import pytest
from starlette.middleware import base, body_limit
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from slipstream._foreign import starlette as foreign
from slipstream._foreign.starlette import channels_of, request_with_body
from slipstream._sockets.behind import protocol_behind

from .reloading import imported_again

pytestmark = pytest.mark.anyio


async def receive() -> Any:
    """Nothing more comes."""
    return {"type": "http.disconnect"}


async def send(message: Any) -> None:
    """Send nothing."""


def test_what_is_there_is_known() -> None:
    """Otherwise everything would go the slower way, and nobody would notice."""
    assert foreign.KNOWS_REQUESTS
    assert foreign.ForwardedBase is not Response
    assert () not in (*foreign.LIMIT_SIGNALS, foreign.LIMIT_ANSWERED)


class Renamed(Request[Any]):
    """A request of a release that keeps its body by another name."""

    async def body(self) -> bytes:
        return b"".join([part async for part in self.stream()])


class Waiting(Request[Any]):
    """A request of a release whose body is never there at once."""

    async def body(self) -> bytes:
        import asyncio

        await asyncio.sleep(0)
        return b""


class Propertied(Request[Any]):
    """A request of a release whose flag is a function."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._is_disconnected = lambda: False  # type: ignore[assignment]


@pytest.mark.parametrize("other", [Renamed, Waiting, Propertied])
async def test_a_request_of_another_shape_is_given_its_body_anew(other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers of exceptions read the body that the endpoint has read."""
    monkeypatch.setattr("starlette.requests.Request", other)

    found = imported_again("starlette")
    request = found.request_with_body({"type": "http"}, receive, send, b"read before")

    assert not found.KNOWS_REQUESTS
    assert b"".join([part async for part in request.stream()]) == b"read before"


async def test_both_ways_of_giving_a_body_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """`body`, and then the client's leaving."""
    bodies = []
    for knows in (True, False):
        monkeypatch.setattr(foreign, "KNOWS_REQUESTS", knows)
        request = request_with_body({"type": "http", "headers": []}, receive, send, b"{}")
        bodies.append((await request.body(), await request.json()))

    assert bodies[0] == bodies[1] == (b"{}", {})


@pytest.mark.parametrize("instead", [None, "a text", int], ids=["gone", "a text", "another class"])
def test_classes_that_are_gone_or_others_have_substitutes(instead: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`except ()` catches nothing; any response will do as a base."""
    monkeypatch.setattr(base, "_StreamingResponse", instead)
    monkeypatch.setattr(body_limit, "_RequestBodyTooLarge", instead)
    monkeypatch.setattr(body_limit, "_RequestBodyLimitResponseSent", instead)

    found = imported_again("starlette")

    assert (found.ForwardedBase, found.LIMIT_ANSWERED, found.LIMIT_SIGNALS) == (Response, (), ((), ()))
    assert not isinstance(ValueError(), found.LIMIT_SIGNALS)


def test_a_websocket_without_its_channels_has_no_wire() -> None:
    """Its messages go by ASGI."""
    socket = WebSocket({"type": "websocket"}, receive, send)
    assert channels_of(socket) == (receive, send)
    del socket._receive, socket._send

    assert protocol_behind(*channels_of(socket)) is None


FORM = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n'


class Formless(Request[Any]):
    """A request of a release that keeps its form by another name."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        del self._form

    async def _get_form(self, **options: Any) -> Any:
        return {"a": "read by Starlette"}


@pytest.mark.parametrize(("kind", "wanted"), [(Request, "1"), (Formless, "read by Starlette")])
async def test_a_form_is_read_by_starlette_where_its_place_is_not_known(kind: Any, wanted: str) -> None:
    """Without a bound on headers then, but read."""
    parts = [{"type": "http.request", "body": FORM, "more_body": False}]

    async def receive_form() -> Any:
        return parts.pop()

    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    form = await foreign.bounded_form(kind({"type": "http", "headers": headers}, receive_form), 1000, {})

    assert form["a"] == wanted
