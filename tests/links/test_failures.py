"""Why a connection ended, as data: a program that can tell one close code from another can act on it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from slipstream.links import Connection, Failure, Fatal, Link, Links, LinkState, PollingSetup, Status, WebSocketSetup
from slipstream.links.rules import MOST_BODY
from slipstream.links.websocket import DialFailed, dial

from .support import QUICK, Peer, until

pytestmark = pytest.mark.anyio
Start = Callable[..., Awaitable[Peer]]


async def test_a_setup_function_can_tell_one_close_code_from_another(peer: Start, links: Links) -> None:
    """4007: resume; 4009: the session has timed out, get a new token. `opened` and `on_change` can tell as well."""
    codes, tokens, told = [4009, 4007], [], list[tuple[str, int | None, str]]()

    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        tokens.append(connection.request.headers["X-Token"])
        if codes:
            await connection.close(codes.pop(0), "for a reason")
        await connection.wait_closed()

    server, token = await peer(talk), 1

    async def setup() -> WebSocketSetup:
        nonlocal token
        failure = link.status.failure
        if failure is not None and failure.code == 4009:
            token += 1
        return WebSocketSetup(server.url, headers={"X-Token": f"token {token}"})

    link = links.websocket(setup, backoff=QUICK)

    @link.opened
    async def opened(connection: Connection) -> None:
        if (before := connection.link.status.failure) is not None:
            told.append(("opened", before.code, before.reason))

    @link.on_change
    def changed(link: Link, old: Status, new: Status) -> None:
        if new.state is LinkState.BACKING_OFF and new.failure is not None:
            told.append((new.failure.kind, new.failure.code, new.failure.side))

    async with links.running():
        await until(lambda: len(tokens) == 3 and link.state is LinkState.UP)

    assert tokens == ["token 1", "token 2", "token 2"]
    assert told == [
        *(("closed", 4009, "peer"), ("opened", 4009, "for a reason")),
        *(("closed", 4007, "peer"), ("opened", 4007, "for a reason")),
    ]


def refusal(connection: ServerConnection, request: Request) -> Response:
    response = connection.respond(HTTPStatus(401), json.dumps({"echo": "s3cr3t-token", "why": "expired"}))
    response.headers["WWW-Authenticate"] = 'Bearer error="s3cr3t-token"'
    response.headers["Retry-After"] = "7"
    return response


async def test_a_refusal_is_there_whole_and_shown_without_secrets(
    peer: Start, links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    """The program reads why its token is no good; logs, health and reprs do not show the token that a peer echoes."""
    server = await peer(lambda connection: connection.wait_closed(), process_request=refusal)
    link = links.websocket(
        WebSocketSetup(server.url, headers={"Authorization": "Bearer s3cr3t-token"}), fatal=Fatal(tries=1)
    )

    async with links.running():
        status = await link.wait_for(LinkState.FAILED)
        (health,) = links.health()

    assert (failure := status.failure) is not None
    assert (failure.kind, failure.side, failure.status, failure.retry_after) == ("status", "peer", 401, 7)
    assert failure.headers["www-authenticate"] == 'Bearer error="s3cr3t-token"'
    assert json.loads(failure.body)["why"] == "expired"
    shown = health.as_dict()["failure"]
    assert (shown["kind"], shown["status"], shown["headers"]["retry-after"]) == ("status", 401, "7")
    assert shown["headers"]["www-authenticate"] == "[hidden]"
    assert json.dumps(health.as_dict())
    assert "s3cr3t" not in repr(status) + json.dumps(health.as_dict()) + caplog.text


@pytest.mark.parametrize("side", ["peer", "us"])
async def test_a_close_reason_that_echoes_a_token_is_data_and_in_no_log(
    side: str, peer: Start, links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever closes."""
    ended: list[Failure | None] = []

    async def talk(connection: ServerConnection) -> None:
        if side == "peer" and not any(ended):
            await connection.close(4004, "bad s3cr3t-token")
        await connection.wait_closed()

    server = await peer(talk)
    link = links.websocket(WebSocketSetup(server.url, headers={"X-Token": "s3cr3t-token"}), backoff=QUICK)

    @link.opened
    async def opened(connection: Connection) -> None:
        if side == "us" and not any(ended):
            await connection.close(4004, "bad s3cr3t-token")

    link.on_change(lambda link, old, new: ended.append(new.failure))

    async with links.running():
        await until(lambda: any(ended))
        facts = str([each.as_dict() for each in links.health()])

    failure = next(each for each in ended if each is not None)
    assert (failure.kind, failure.code, failure.side, failure.reason) == ("closed", 4004, side, "bad s3cr3t-token")
    assert "s3cr3t" not in facts + repr(failure) + caplog.text


async def test_the_body_of_a_refusal_is_bounded(peer: Start) -> None:
    """A megabyte of HTML must not stay in the status of each link."""

    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(HTTPStatus(503), "x" * 100_000)

    server = await peer(lambda connection: connection.wait_closed(), process_request=refuse)

    with pytest.raises(DialFailed) as failed:
        await dial(WebSocketSetup(server.url))

    assert len(failed.value.failure.body) == MOST_BODY


@pytest.mark.parametrize("body", ["whole", "endless", "broken"])
async def test_a_refused_poll_tells_the_same(body: str, links: Links) -> None:
    """Whatever becomes of the body: a server that holds it back, or breaks off, is known by what it has said."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        length = {"whole": 7, "endless": 10**9, "broken": 100}[body]
        writer.write(b"HTTP/1.1 403 No\r\nX-Why: scope\r\nContent-Length: %d\r\n\r\nnot you" % length)
        if body == "endless":
            writer.write(b"x" * 10 * MOST_BODY)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    link = links.poll(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", fatal=Fatal(tries=1))

    async with server, links.running():
        status = await link.wait_for(LinkState.FAILED)

    assert (failure := status.failure) is not None
    assert (failure.kind, failure.side, failure.status, failure.headers["x-why"]) == ("status", "peer", 403, "scope")
    assert failure.body.startswith(b"not you")
    assert len(failure.body) == (MOST_BODY if body == "endless" else 7)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"this is neither TLS nor HTTP\r\n\r\n")
    writer.close()


SIDES: list[tuple[str, str, dict[str, Any], str]] = [
    ("name", "{scheme}://no-such-name.invalid/", {}, "refused"),
    ("tls", "{scheme}s://127.0.0.1:{port}/", {}, "tls"),
    ("peer", "{scheme}://127.0.0.1:1/", {}, "refused"),
    ("peer", "{scheme}://127.0.0.1:{port}/", {}, "protocol"),
    ("proxy", "{scheme}://peer.invalid/", {"proxy": "http://127.0.0.1:1"}, "refused"),
    ("proxy", "{scheme}s://peer.invalid/", {"proxy": "http://no-such-name.invalid:80"}, "refused"),
]


@pytest.mark.parametrize("scheme", ["ws", "http"])
@pytest.mark.parametrize(("side", "url", "options", "kind"), SIDES)
async def test_a_failure_tells_on_which_side_it_was(
    side: str, url: str, options: dict[str, Any], kind: str, scheme: str, links: Links
) -> None:
    """Whom to call at night: us, the network's people, or the peer."""
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    address = url.format(scheme=scheme, port=server.sockets[0].getsockname()[1])
    if scheme == "ws":
        link = links.websocket(WebSocketSetup(address, **options))
    else:
        link = links.poll(PollingSetup(address, **options))

    async with server, links.running():
        status = await link.wait_for(LinkState.BACKING_OFF)

    assert (failure := status.failure) is not None
    assert (failure.side, failure.kind) == (side, kind)


async def test_a_refusal_by_a_proxy_has_its_status_and_is_not_the_peers(links: Links) -> None:
    """407 is no reason to give the peer up; the program may ask somebody for the proxy's password."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 No\r\nX-Why: closed on Sundays\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    link = links.websocket(WebSocketSetup("ws://peer.invalid/", proxy=proxy), fatal=Fatal(tries=1), backoff=QUICK)

    async with server, links.running():
        await until(lambda: link.status.failures > 2)

    assert link.state is LinkState.CLOSED
    assert (failure := link.status.failure) is not None
    assert (failure.side, failure.status, failure.headers["x-why"]) == ("proxy", 403, "closed on Sundays")


async def test_what_we_did_ourselves_says_so(peer: Start, links: Links) -> None:
    """A setup that could not be made is no fault of the peer."""

    def setup() -> WebSocketSetup:
        raise ValueError("no token")

    link = links.websocket(setup)

    async with links.running():
        status = await link.wait_for(LinkState.BACKING_OFF)

    assert (failure := status.failure) is not None
    assert (failure.kind, failure.side) == ("setup", "us")


async def test_an_attempt_that_ends_by_an_unforeseen_error_says_so_everywhere(peer: Start, links: Links) -> None:
    """A `closed` hook that reports why must not report a close of ours where the log has a traceback."""

    class Broken:
        def take(self, *args: Any) -> bool:
            raise RuntimeError("nobody foresaw this")

    async def talk(connection: ServerConnection) -> None:
        await connection.send("{}")
        await connection.wait_closed()

    server, ended = await peer(talk), list[Failure | None]()
    link = links.websocket(server.url)
    link.receiver = Broken()

    @link.closed
    def closed(connection: Connection) -> None:
        ended.append(connection.failure)

    async with links.running():
        status = await link.wait_for(LinkState.BACKING_OFF)

    assert ended == [status.failure]
    assert (failure := status.failure) is not None
    assert (failure.kind, failure.side, failure.text) == ("error", "us", "RuntimeError: nobody foresaw this")
