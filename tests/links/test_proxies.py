"""Ways through proxies: SOCKS5 and HTTP, with a login and without, for both that dial; and who hears of the login."""

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.asyncio.server import ServerConnection

from slipstream.links import TLS, Link, Links, LinkState, PollingSetup, Timeouts, WebSocketSetup, WrongSetup
from slipstream.links.httpx_additions import OldTransport
from slipstream.links.websocket import dial
from tests.peers import HTTPProxy, Proxy, Socks5, http2_server

from .support import QUICK, Peer, until

pytestmark = pytest.mark.anyio
Start = Callable[..., Awaitable[Peer]]
KINDS = pytest.mark.parametrize("kind", [Socks5, HTTPProxy])
LOGINS = pytest.mark.parametrize("login", [None, ("me", "s3cr3t p@ss")], ids=["open", "login"])


async def greet(connection: ServerConnection) -> None:
    await connection.send(json.dumps({"id": 1}))
    await connection.wait_closed()


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the version of HTTP that was spoken."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(scope["http_version"]).encode()})


def through(proxy: Proxy, login: tuple[str, str] | None) -> str:
    return proxy.url(login[0], quote(login[1])) if login else proxy.url()


async def first_event(links: Links, link: Link) -> Any:
    """Run until an event comes."""
    came: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    @link
    async def handle(event: dict[str, Any] | str) -> None:
        if not came.done():
            came.set_result(event)

    async with links.running():
        return await came


@KINDS
@LOGINS
@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_a_websocket_goes_through_a_proxy(
    kind: type[Proxy], login: tuple[str, str] | None, scheme: str, peer: Start, certificate: Path, links: Links
) -> None:
    """Which resolves the name; TLS is then with the server, not with the proxy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await peer(greet, **({"ssl": context} if scheme == "wss" else {}))
    tls = TLS(ca_file=str(certificate), server_name="localhost" if scheme == "wss" else None)

    async with kind(login) as proxy:
        url = f"{scheme}://feed.test:{server.port}/"
        link = links.websocket(WebSocketSetup(url, proxy=through(proxy, login), tls=tls))

        assert await first_event(links, link) == {"id": 1}
    assert proxy.asked == [("feed.test", server.port)]


@KINDS
async def test_another_host_header_changes_no_address(kind: type[Proxy], peer: Start) -> None:
    """The proxy is asked for the server that the address names; that one is asked for the host of the header."""
    server = await peer(greet)

    async with kind() as proxy:
        setup = WebSocketSetup(
            f"ws://feed.test:{server.port}/", proxy=proxy.url(), headers={"host": "virtual.test", "X-Token": "t"}
        )
        socket = await dial(setup)
        (connection,) = server.server.connections
        await socket.close()

    assert connection.request is not None
    assert connection.request.headers.get_all("Host") == ["virtual.test"]
    assert proxy.asked == [("feed.test", server.port)]


@KINDS
@LOGINS
@pytest.mark.parametrize(("is_http2", "version"), [(False, "1.1"), (True, "2")])
async def test_a_poll_goes_through_a_proxy(
    kind: type[Proxy],
    login: tuple[str, str] | None,
    is_http2: bool,
    version: str,
    certificate: Path,
    links: Links,
) -> None:
    """By either version of HTTP."""
    async with http2_server(answering, certificate) as port, kind(login) as proxy:
        setup = PollingSetup(
            f"https://localhost:{port}/",
            proxy=through(proxy, login),
            tls=TLS(ca_file=str(certificate)),
            http2=is_http2,
        )

        assert await first_event(links, links.poll(setup)) == version
    assert set(proxy.asked) == {("localhost", port)}


@KINDS
@LOGINS
async def test_a_poll_by_http_1_0_goes_through_a_proxy(
    kind: type[Proxy], login: tuple[str, str] | None, links: Links
) -> None:
    """It is our own transport that speaks it."""
    lines = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await reader.readuntil(b"\r\n\r\n")).splitlines()[0].decode())
        writer.write(b'HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n"ok"')
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, kind(login) as proxy:
        url = through(proxy, login)
        setup = PollingSetup(f"http://feed.test:{port}/", transport=lambda: OldTransport(TLS().build(), url))

        assert await first_event(links, links.poll(setup)) == "ok"
    assert proxy.asked[0] == ("feed.test", port)
    assert lines[0].startswith("GET ")
    assert lines[0].endswith(" HTTP/1.0")


@KINDS
@pytest.mark.parametrize("way", ["websocket", "polling"])
@pytest.mark.parametrize("login", [("me", "s3cr3t p@ss"), None], ids=["wrong", "none"])
async def test_what_a_proxy_refuses_is_told_and_its_login_is_not(
    kind: type[Proxy], way: str, login: tuple[str, str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in states, nor in health, nor in logs, nor in the setup that somebody prints."""
    caplog.set_level(logging.DEBUG)
    links = Links()
    async with kind(("me", "another")) as proxy:
        url = through(proxy, login)
        setup: Any = WebSocketSetup("ws://h.test/", proxy=url)
        if way == "polling":
            setup = PollingSetup("http://h.test/", proxy=url)
        link = links.websocket(setup, backoff=QUICK) if way == "websocket" else links.poll(setup, backoff=QUICK)
        async with links.running():
            status = await link.wait_for(LinkState.BACKING_OFF)
            shown = [str(links.health()), repr(status), links.metrics(), repr(setup), repr(link)]

    assert status.reason.startswith(("no way through the proxy", "the proxy answered 407", "the server answered 407"))
    for text in (*shown, caplog.text):
        assert not any(word in text for word in ("s3cr3t", quote("s3cr3t p@ss"), "me:"))


@pytest.mark.parametrize("way", ["websocket", "polling"])
async def test_a_proxy_that_is_away_is_a_reason_to_wait(way: str) -> None:
    """It may come back."""
    links = Links()
    async with Socks5() as proxy:
        url = proxy.url("me", "s3cr3t")
    if way == "websocket":
        link = links.websocket(WebSocketSetup("ws://h.test/", proxy=url), backoff=QUICK)
    else:
        link = links.poll(PollingSetup("http://h.test/", proxy=url), backoff=QUICK)

    async with links.running():
        await until(lambda: link.counters.attempts > 2)
        status = await link.wait_for(LinkState.BACKING_OFF)

    assert status.reason.startswith(("cannot connect", "no way through the proxy"))
    assert "s3cr3t" not in status.reason


async def test_a_proxy_that_says_nothing_is_given_up() -> None:
    """The time-out is one for everything up to the handshake."""
    links = Links()
    held: list[Any] = []
    server = await asyncio.start_server(lambda *streams: held.append(streams), "127.0.0.1", 0)
    url = f"socks5h://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    link = links.websocket(WebSocketSetup("ws://h.test/", proxy=url, timeouts=Timeouts(connect=0.05)))

    async with server, links.running():
        status = await link.wait_for(LinkState.BACKING_OFF)
        for _, writer in held:
            writer.close()

    assert status.reason == "no connection within 0.05 seconds"


@pytest.mark.parametrize("proxy", ["nonsense", "ftp://h/", "socks5://"])
def test_a_proxy_that_is_none_is_an_error_where_it_is_written(proxy: str) -> None:
    """As an address is."""
    with pytest.raises(WrongSetup, match="proxy="):
        WebSocketSetup("ws://h/", proxy=proxy)
    with pytest.raises(WrongSetup, match="proxy="):
        PollingSetup("http://h/", proxy=proxy)
    with pytest.raises(WrongSetup, match="socks5h"):
        PollingSetup("http://h/", proxy="socks4://h:1")
