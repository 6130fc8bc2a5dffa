"""Event streams stay alive while nothing comes."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from slipstream import FastAPI, routing
from slipstream.responses import EventSourceResponse
from slipstream.routing import APIRoute
from slipstream.testclient import TestClient

pytestmark = pytest.mark.anyio


class Silence:
    """An endpoint that says something, waits until the client has heard two pings, and ends."""

    def __init__(self) -> None:
        self.heard = anyio.Event()

    async def speak(self) -> AsyncIterator[int]:
        yield 1
        await self.heard.wait()
        yield 2

    def speak_blocking(self) -> Iterator[int]:
        yield 1
        anyio.from_thread.run(self.heard.wait)
        yield 2


async def listen(app: Any, silence: Silence) -> bytes:
    """Read the stream to its end; two pings end the silence."""
    heard = b""

    async def receive() -> Any:
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        nonlocal heard
        heard += message.get("body", b"")
        if heard.count(b": ping\n\n") >= 2:
            silence.heard.set()

    scope = {
        "type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "root_path": "",
        "asgi": {"spec_version": "2.4"},
    }  # fmt: skip
    with anyio.fail_after(5):
        await app(scope, receive, send)
    return heard


@pytest.mark.parametrize("name", ["speak", "speak_blocking"])
async def test_a_silent_stream_pings_until_the_next_event(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Tests and programs change the interval where FastAPI has it; it is read while the stream runs."""
    silence, app = Silence(), FastAPI()
    app.get("/", response_class=EventSourceResponse)(getattr(silence, name))
    monkeypatch.setattr(routing, "_PING_INTERVAL", 0.001)

    heard = await listen(app, silence)

    assert heard.count(b": ping\n\n") >= 2
    assert heard.replace(b": ping\n\n", b"") == b"data: 1\n\ndata: 2\n\n"


async def test_a_route_class_may_have_its_own_interval() -> None:
    """A proxy in front of some routes may be less patient than the one in front of others."""

    class Impatient(APIRoute):
        @staticmethod
        def ping_interval() -> float:
            return 0.001

    silence, app = Silence(), FastAPI()
    app.router.route_class = Impatient
    app.get("/", response_class=EventSourceResponse)(silence.speak)

    assert (await listen(app, silence)).count(b": ping\n\n") >= 2


def test_a_stream_that_talks_is_not_interrupted() -> None:
    """A ping stands between two events only when there is nothing to say."""
    app = FastAPI()

    @app.get("/", response_class=EventSourceResponse)
    async def count() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    assert TestClient(app).get("/").text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
