"""WebSocket servers that we dial: the handshake, the reader, the heartbeat."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from socket import gaierror
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    ProxyError,
    WebSocketException,
)
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Subprotocol

from slipstream._foreign.websockets import end_of
from slipstream._sockets.client import LeanConnection, connection_type
from slipstream.links.connection import Connection, Data
from slipstream.links.errors import LinkDown, WrongSetup
from slipstream.links.intake import Intake, Receiver
from slipstream.links.libraries import check, missing
from slipstream.links.link import Link
from slipstream.links.queue import QueueFull
from slipstream.links.redact import printable, shown_url, without_secrets
from slipstream.links.rules import (
    MOST_BODY,
    REDIRECTS,
    Failure,
    FailureKind,
    Schedule,
    Side,
    closed_by_us,
    headers_for,
    origin,
    parse_retry_after,
    redirected,
)
from slipstream.links.serving import QUEUE_FULL, close, finish, last_words, serve
from slipstream.links.session import Session
from slipstream.links.setup import LinkKind, WebSocketSetup
from slipstream.links.supervise import asked, first_of, keep_up

WebSocketSource = WebSocketSetup | Callable[[], Awaitable[WebSocketSetup] | WebSocketSetup]
"""A setup, or what is asked for one at each attempt."""

_OURS = frozenset({"host", "cookie", "connection", "upgrade", "content-length", "transfer-encoding"})


_library_logger = logging.getLogger("slipstream.links.websockets")
_library_logger.setLevel(logging.INFO)  # beneath it the library shows every header, and every message


class _OneHop(connect):
    """The library's `connect`, which leaves redirects to us: it would carry headers such as X-Token elsewhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _hosted(host: str, protocol: ClientProtocol, **options: Any) -> ClientConnection:
    """Make a connection that asks for another host than that of its address."""
    connect = protocol.connect

    def asking() -> Request:
        request = connect()
        del request.headers["Host"]
        request.headers["Host"] = host
        return request

    protocol.connect = asking  # type: ignore[method-assign]  # the library has no setting for it
    return connection_type()(protocol, **options)


class DialFailed(LinkDown):
    """A handshake did not succeed; `failure` tells why, as data."""

    def __init__(self, link: str, failure: Failure) -> None:
        super().__init__(link, failure.text, failure.code)
        self.failure = failure


async def dial(setup: WebSocketSetup, link: str = "") -> ClientConnection:
    """Connect to a WebSocket server, following redirects without carrying secrets along.

    Args:
        setup: Whom to dial, and how.
        link: Name to say in errors.

    Returns:
        The connection of the library `websockets`; it sends no pings of its own.

    Raises:
        DialFailed: Whatever went wrong; `failure` tells what.
    """
    try:
        check(setup)
        return await connected(setup.url, partial(_arguments, setup), setup.max_redirects, link)
    except DialFailed:
        raise
    except Exception as error:
        raise DialFailed(link, _failure_of(error, setup)) from error


async def connected(
    url: str, arguments: Callable[[str], dict[str, Any]], max_redirects: int, link: str = ""
) -> ClientConnection:
    """Connect, following redirects: the one way in which links, bots and NoneBot's driver dial.

    Args:
        url: Whom to dial.
        arguments: Returns what the library's `connect` takes for an address, without what that must not see.
        max_redirects: How many redirects to follow.
        link: Name to say in errors.

    Raises:
        DialFailed: A redirect cannot be followed, or there are too many.
        websockets.exceptions.InvalidStatus: The server refuses; other errors of the library are let through too.
    """
    for _ in range(max_redirects + 1):
        try:
            return await _OneHop(**arguments(url))
        except InvalidStatus as refusal:
            answer = refusal.response
            location = _headers_of(answer).get("location")
            if answer.status_code not in REDIRECTS or location is None:
                raise
            target = redirected(url, location)
            if target is None:
                text = f"refused to follow a redirect from {shown_url(url)} to {shown_url(location)}"
                raise DialFailed(link, _refusal("redirect", text, answer, "peer")) from refusal
            url = target
    raise DialFailed(link, Failure("redirect", f"more than {max_redirects} redirects"))


def _arguments(setup: WebSocketSetup, url: str) -> dict[str, Any]:
    headers = headers_for(setup.headers, setup.url, url)
    is_home = origin(setup.url) == origin(url)
    host = next((value for name, value in headers.items() if name.lower() == "host"), None)
    given = {name: value for name, value in headers.items() if name.lower() not in _OURS}
    cookies = [value for name, value in headers.items() if name.lower() == "cookie"]
    if is_home:
        cookies += [f"{name}={value}" for name, value in setup.cookies.items()]
    if cookies:
        given["Cookie"] = "; ".join(cookies)
    parts = urlsplit(url)
    arguments: dict[str, Any] = {
        "uri": url,
        "additional_headers": given,
        "subprotocols": [Subprotocol(each) for each in setup.subprotocols] or None,
        "compression": "deflate" if setup.compression else None,
        "proxy": setup.proxy or (True if setup.trust_env else None),
        "open_timeout": setup.timeouts.connect,
        "close_timeout": setup.timeouts.close,
        "ping_interval": None,
        "max_size": setup.max_message,
        "logger": _library_logger,
    }
    if parts.scheme == "wss":
        tls = setup.tls
        if not is_home and (tls.certificate is not None or tls.server_name is not None):
            tls = type(tls)(ca_file=tls.ca_file, verify=tls.verify)
        arguments["ssl"] = tls.build()
        if tls.server_name is not None:
            arguments["server_hostname"] = tls.server_name
    arguments["create_connection"] = connection_type() if host is None else partial(_hosted, host)
    return arguments


def _failure_of(error: Exception, setup: WebSocketSetup) -> Failure:
    """Tell as data why a handshake failed."""
    if isinstance(error, InvalidStatus):
        return _refusal("status", f"the server answered {error.response.status_code}", error.response, "peer")
    if isinstance(error, InvalidProxyStatus):
        return _refusal("refused", f"the proxy answered {error.response.status_code}", error.response, "proxy")
    if isinstance(error, ImportError):
        return missing(error, "python-socks")
    if isinstance(error, WrongSetup):
        return Failure("setup", printable(str(error)), side="us")
    if isinstance(error, TimeoutError):
        return Failure("timeout", f"no connection within {setup.timeouts.connect} seconds")
    if isinstance(error, InvalidURI | InvalidProxy):
        return Failure("setup", f"{shown_url(setup.url)} or its proxy is no address", is_final=True, side="us")
    cause = error.__cause__ if isinstance(error, ProxyError) else None
    text = without_secrets(str(cause or error) or type(error).__name__, setup.secrets())
    if isinstance(error, ProxyError):
        return Failure("refused", f"no way through the proxy: {text}", side="proxy")
    if isinstance(error, ssl.SSLError):
        return Failure("tls", f"TLS failed: {text}", side="tls")
    # What we connect to is the proxy, where there is one.
    if isinstance(error, gaierror):
        name = urlsplit(setup.proxy or setup.url).hostname
        side: Side = "proxy" if setup.proxy else "name"
        return Failure("refused", f"the name {name} cannot be resolved: {text}", side=side)
    if isinstance(error, OSError):
        return Failure("refused", f"cannot connect: {text}", side="proxy" if setup.proxy else "peer")
    if isinstance(error, InvalidHandshake):
        return Failure("protocol", f"no WebSocket handshake: {text}")
    return Failure("error", f"{type(error).__name__}: {text}", side="us")


def _refusal(kind: FailureKind, text: str, response: Response, side: Side) -> Failure:
    headers = _headers_of(response)
    wait = parse_retry_after(headers.get("retry-after"), datetime.now(UTC))
    body = bytes(response.body or b"")[:MOST_BODY]
    return Failure(kind, text, response.status_code, None, wait, side=side, headers=headers, body=body)


@dataclass
class SocketTransport:
    """One connection of the library, with a deadline for what is sent."""

    socket: ClientConnection
    link: str
    write_timeout: float | None
    secrets: Sequence[str] = ()
    ended_by: Failure | None = None

    @property
    def is_open(self) -> bool:
        """Whether the close handshake has not begun."""
        return self.socket.state is State.OPEN

    async def send(self, data: Data) -> None:
        """Send one message; a peer that takes nothing for too long is cut off."""
        socket = self.socket
        rest = socket.begin(data) if isinstance(socket, LeanConnection) else socket.send(data)
        if rest is None:
            return
        try:
            async with asyncio.timeout(self.write_timeout):
                await rest
        except TimeoutError:
            self.cut(Failure("silent", f"the peer took nothing for {self.write_timeout} seconds"))
            raise LinkDown(self.link, "the peer takes nothing") from None
        except ConnectionClosed as closed:
            failure = self.end_of(closed)
            raise LinkDown(self.link, failure.text, failure.code) from closed

    async def close(self, failure: Failure) -> None:
        """Close with a handshake; the library gives up on a peer that lingers."""
        if self.ended_by is None and self.is_open:
            self.ended_by = replace(failure, text=without_secrets(failure.text, self.secrets))
        await self.socket.close(failure.code or 1011, failure.reason)

    end = close  # the reader ends with the connection

    def cut(self, failure: Failure) -> None:
        """End the connection without a handshake."""
        if self.ended_by is None:
            self.ended_by = failure
        self.socket.transport.abort()

    def end_of(self, closed: ConnectionClosed) -> Failure:
        """Tell as data how the connection ended."""
        if self.ended_by is not None:
            return self.ended_by
        if closed.rcvd is not None and (closed.rcvd_then_sent or closed.sent is None):
            return _closed("peer", closed.rcvd.code, closed.rcvd.reason, self.secrets)
        if closed.sent is not None:
            return _closed("us", closed.sent.code, closed.sent.reason, self.secrets)
        cause = closed.__cause__
        return Failure("closed", "the connection was lost" + (printable(f": {cause}") if cause and str(cause) else ""))


def _closed(side: Side, code: int, reason: str, secrets: Sequence[str]) -> Failure:
    who = "we" if side == "us" else "the peer"
    text = without_secrets(f"{who} closed with {code} {reason}".rstrip(), secrets)
    return Failure("closed", text, code=code, side=side, reason=reason)


async def heartbeat(
    transport: SocketTransport, session: Session, link: Link, interval: float | None, patience: float
) -> Failure:
    """Ping the peer; end the connection when it no longer answers.

    While we ourselves leave its frames unread, for the handlers are slow, a missing answer says nothing.
    """
    if interval is None:
        await asyncio.Event().wait()
    assert interval is not None
    while True:
        await asyncio.sleep(interval)
        try:
            answer = asyncio.ensure_future(await transport.socket.ping())
        except WebSocketException:
            await asyncio.Event().wait()  # the reader says why
        while True:
            was_blocked = session.is_blocked
            done, _ = await asyncio.wait({answer}, timeout=patience)
            if done:
                break
            if not (was_blocked or session.is_blocked):
                failure = Failure("silent", f"no answer to a ping within {patience:g} seconds")
                transport.cut(failure)
                answer.cancel()
                return failure
        if answer.cancelled() or answer.exception() is not None:
            await asyncio.Event().wait()  # the reader says why
        link.latency = answer.result()


class WebSocketRunner:
    """Dials, and keeps one connection.

    Args:
        source: Whom to dial; asked at each attempt if it is callable.
    """

    kind: LinkKind = "websocket"
    knows_peers = True

    def __init__(self, source: WebSocketSource) -> None:
        self._source = source
        self.target = shown_url(source.url) if isinstance(source, WebSocketSetup) else "asked at each attempt"

    async def run(self, link: Link) -> None:
        """Keep the link up until it is told to stop."""
        await keep_up(link, partial(self._attempt, link))

    def drain(self, link: Link) -> None:
        """Let no new events in: replies to calls still come."""

    async def close(self, link: Link) -> None:
        """End the connection with 1001 (going away)."""
        await asyncio.gather(*(each.close(1001, "shutting down") for each in link), return_exceptions=True)

    async def _attempt(self, link: Link, schedule: Schedule) -> Failure:
        setup = await asked(self._source, WebSocketSetup, link)
        if isinstance(setup, Failure):
            return setup
        self.target = shown_url(setup.url)
        schedule.adopt(setup.backoff)
        try:
            socket = await dial(setup, link.name)
        except DialFailed as failed:
            return failed.failure
        transport = SocketTransport(socket, link.name, setup.timeouts.write, setup.secrets())
        session = link.session()
        connection = Connection(
            session,
            transport,
            name=link.new_id(),
            url=setup.url,
            headers=_headers_of(socket.response) if socket.response else Headers(),
            subprotocol=socket.subprotocol,
        )
        connection.wire = socket.wire if isinstance(socket, LeanConnection) else None
        link.connections.add(connection)
        session.begin(connection)
        failure = closed_by_us(1001)  # where we are cancelled: the program stops or restarts the link
        try:
            failure = await first_of(
                self._read(transport, link.receiver or session, session, connection, setup.timeouts.silence),
                heartbeat(transport, session, link, setup.ping_interval, setup.ping_timeout),
                serve(link, session, connection, f"connected to {self.target}"),
                self._watch(transport, session, connection),
            )
        finally:
            link.connections.discard(connection)
            failure = transport.ended_by or failure
            session.end(connection, failure)
            try:
                await _hang_up(transport)
            finally:
                await finish(link, connection)
        return failure

    async def _read(
        self,
        transport: SocketTransport,
        receiver: Receiver,
        session: Session,
        connection: Connection,
        silence: float | None,
    ) -> Failure:
        """Take in messages until the connection ends, those that came before the end included."""
        socket = transport.socket

        async def receive() -> Data:
            async with asyncio.timeout(silence):
                return await socket.recv()

        intake = Intake(receiver, connection)
        try:
            if silence is None and isinstance(socket, LeanConnection):
                await intake.pour(socket.wire)
            else:
                await intake.fetch(receive)
            raise end_of(socket)
        except ConnectionClosed as closed:
            return await last_words(session, connection, transport.end_of(closed))
        except QueueFull:
            return await close(connection, QUEUE_FULL)
        except TimeoutError:
            failure = Failure("silent", f"no message for {silence:g} seconds")
            transport.cut(failure)
            return failure

    async def _watch(self, transport: SocketTransport, session: Session, connection: Connection) -> Failure:
        """Fail calls the moment that the connection ends, though messages before its end may still be unread."""
        await transport.socket.wait_closed()
        session.fail_calls(connection, Failure("closed", "the connection has ended", code=transport.socket.close_code))
        return await asyncio.Event().wait()  # type: ignore[return-value]  # it never comes back: the reader ends the rest


def _headers_of(response: Response) -> Headers:
    found = response.headers.raw_items()
    return Headers(raw=[(name.lower().encode(), text.encode("latin-1", "replace")) for name, text in found])


async def _hang_up(transport: SocketTransport) -> None:
    """Let go of the socket, whatever state it is in, and whoever cancels us."""
    if transport.socket.state is State.CLOSED:
        return
    try:
        await transport.socket.close(1001)
    except asyncio.CancelledError:
        transport.socket.transport.abort()
        raise
