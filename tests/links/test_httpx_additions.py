"""What is added to httpx2: which cookies are kept, and the close of a failed way through a SOCKS proxy."""

import asyncio
from collections.abc import AsyncIterator
from http.cookiejar import CookieJar
from typing import Any

import httpx2
import pytest

from slipstream.links import PollingSetup, Timeouts
from slipstream.links.httpx_additions import Sendable
from slipstream.links.polling import DialFailed, Poller
from tests.peers import Socks5

from .support import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def silent() -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that says nothing, and what it heard of each connection: "open", then "closed"."""
    heard: list[str] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append("open")
        await reader.read()  # to the end
        heard.append("closed")
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield f"socks5h://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


@pytest.mark.parametrize("end", ["time-out", "cancelled"])
async def test_a_proxy_that_is_given_up_sees_the_connection_close(end: str, silent: tuple[str, list[str]]) -> None:
    """And not when the garbage is collected."""
    url, heard = silent
    poller = Poller()
    limits = Timeouts(read=0.03 if end == "time-out" else 60)
    asking: asyncio.Task[Any] = asyncio.ensure_future(
        poller.fetch(PollingSetup("https://h.test/", proxy=url, timeouts=limits))
    )
    await until(lambda: heard)
    if end == "cancelled":
        asking.cancel()

    with pytest.raises(DialFailed if end == "time-out" else asyncio.CancelledError):
        await asking
    await until(lambda: heard == ["open", "closed"])
    await poller.aclose()


async def test_a_proxy_that_refuses_is_left_at_once() -> None:
    """However long it keeps its own end open."""
    poller = Poller()
    async with Socks5(("me", "right")) as proxy:
        setup = PollingSetup("https://h.test/", proxy=proxy.url("me", "wrong"))
        for _ in range(3):
            with pytest.raises(DialFailed, match="no way through the proxy"):
                await poller.fetch(setup)
        await until(lambda: not proxy._tasks)
    await poller.aclose()


@pytest.mark.parametrize(
    ("told", "kept"), [("a=b", ["a"]), ("a=é", []), ("é=a", []), ("a=b; Domain=elsewhere.example", [])]
)
def test_what_can_be_sent_back_is_kept(told: str, kept: list[str]) -> None:
    """And what the standard policy takes: no cookies for others."""
    jar = CookieJar(Sendable())
    request = httpx2.Request("GET", "http://here.example/")
    response = httpx2.Response(200, headers=[(b"set-cookie", told.encode())], request=request)

    httpx2.Cookies(jar).extract_cookies(response)

    assert [cookie.name for cookie in jar] == kept
