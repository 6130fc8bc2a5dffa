"""The fake platform does what it is told, wrong as that may be."""

import asyncio
import urllib.error
import urllib.request

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidMessage, InvalidStatus

from slipstream.bots.testing import FakePlatform

pytestmark = pytest.mark.anyio


async def test_it_refuses_handshakes_as_often_as_it_is_told() -> None:
    """With status, headers and body."""
    async with FakePlatform() as platform:
        platform.refuse(429, b"slow down", retry_after="7")
        with pytest.raises(InvalidStatus) as refused:
            await connect(platform.ws_url)
        async with connect(platform.ws_url):
            pass

    assert (refused.value.response.status_code, bytes(refused.value.response.body or b"")) == (429, b"slow down")
    assert refused.value.response.headers["Retry-After"] == "7"
    assert platform.handshakes == 2


async def test_it_writes_garbage_in_place_of_an_answer() -> None:
    """And cuts the connection."""
    async with FakePlatform() as platform:
        platform.answer_garbage(b"\x00\x01\x02\r\n\r\n")

        with pytest.raises(InvalidMessage):
            await connect(platform.ws_url)


async def test_it_waits_before_it_answers() -> None:
    """As long as it is told, by the clock that it is given."""
    waits = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with FakePlatform(sleep) as platform:
        platform.delay(3.5)
        async with connect(platform.ws_url):
            pass

    assert waits == [3.5]


async def test_it_answers_http_from_its_list_and_then_always_the_same() -> None:
    """And notes what it was asked."""

    def ask(url: str) -> tuple[int, bytes]:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read()

    async with FakePlatform() as platform:
        platform.answer({"a": 1}, 201)
        first = await asyncio.to_thread(ask, platform.http_url + "?b=2")
        second = await asyncio.to_thread(ask, platform.http_url)

    assert (first, second) == ((201, b'{"a": 1}'), (204, b""))
    assert [(asked.method, asked.path, asked.query) for asked in platform.asked] == [
        ("GET", "/events", "b=2"),
        ("GET", "/events", ""),
    ]


async def test_it_dials_any_websocket_server() -> None:
    """Messages in pieces come as one."""

    async def talk(connection: ServerConnection) -> None:
        await connection.send(["one ", "mess", "age"])
        await connection.wait_closed()

    async with serve(talk, "127.0.0.1", 0) as server, FakePlatform() as platform:
        peer = await platform.dial(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

        assert await peer.receive() == "one message"
        await peer.close()


async def test_a_server_that_cuts_the_handshake_is_an_error() -> None:
    """And not a hang."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server, FakePlatform() as platform:
        with pytest.raises(ConnectionResetError):
            await platform.dial(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
