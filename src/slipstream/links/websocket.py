"""WebSocket servers that we dial: the handshake, the reader, the heartbeat."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
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
)
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Subprotocol

from slipstream._foreign.websockets import end_of
from slipstream._sockets.client import BoundedConnection, LeanConnection, connection_type
from slipstream.links.dialling import (
    CAUSES,
    DialFailed as DialFailed,
    DialledLink,
    Meaning,
    failure_of,
    next_hop,
    refusal,
)
from slipstream.links.errors import LinkDown
from slipstream.links.intake import Intake
from slipstream.links.redact import printable, without_secrets
from slipstream.links.rules import Failure, FailureKind, Schedule, Side, closed, headers_for, origin
from slipstream.links.serving import finish, hold, read, serve
from slipstream.links.session import Connection, Data, Session
from slipstream.links.setup import WebSocketSetup, check

_OURS = frozenset({"host", "cookie", "connection", "upgrade", "content-length", "transfer-encoding"})

_MEANINGS: Sequence[Meaning] = (
    (TimeoutError, "timeout", "peer", "no connection within {limit} seconds"),
    ((InvalidURI, InvalidProxy), "setup", "us", "{url} or its proxy is no address"),
    (ProxyError, "refused", "proxy", "no way through the proxy: {text}"),
    *CAUSES,
    (InvalidHandshake, "protocol", "peer", "no WebSocket handshake: {text}"),
    (OSError, "refused", "peer", "cannot connect: {text}"),
)

_library_logger = logging.getLogger("slipstream.links.websockets")
_library_logger.setLevel(logging.INFO)  # beneath it the library shows every header, and every message


class _OneHop(connect):
    """The library's `connect`, which leaves redirects to us: it would carry headers such as X-Token elsewhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _hosted(host: str, protocol: ClientProtocol, **options: Any) -> ClientConnection:
    """Make a connection whose handshake names another host than its address."""
    connect = protocol.connect

    def asking() -> Request:
        request = connect()
        del request.headers["Host"]
        request.headers["Host"] = host
        return request

    protocol.connect = asking  # type: ignore[method-assign]  # the library has no setting for it
    return connection_type()(protocol, **options)


async def dial(setup: WebSocketSetup) -> ClientConnection:
    """Connect to a WebSocket server, following redirects without carrying secrets along.

    The connection is one of the library `websockets`, and sends no pings of its own.

    Raises:
        DialFailed: There is no connection; `failure` has the reason.
    """
    try:
        check(setup)
        return await connected(setup.url, partial(_arguments, setup), setup.max_redirects)
    except Exception as error:
        raise DialFailed(_failure_of(error, setup)) from error


async def connected(url: str, arguments: Callable[[str], dict[str, Any]], max_redirects: int) -> ClientConnection:
    """Connect, following redirects: the one way in which links, bots and NoneBot's driver dial.

    `arguments` returns what the library's `connect` takes for an address, without what that must not see. Raises
    `DialFailed` for a redirect that cannot be followed, and lets errors of the library through.
    """
    for _ in range(max_redirects + 1):
        try:
            return await _OneHop(**arguments(url))
        except InvalidStatus as refusal:
            answer = refusal.response
            target = next_hop(url, answer.status_code, _headers_of(answer), bytes(answer.body or b""))
            if target is None:
                raise
            url = target
    raise DialFailed(Failure("redirect", f"more than {max_redirects} redirects"))


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
    if isinstance(error, InvalidStatus):
        return _refusal("status", f"the server answered {error.response.status_code}", error.response, "peer")
    if isinstance(error, InvalidProxyStatus):
        return _refusal("refused", f"the proxy answered {error.response.status_code}", error.response, "proxy")
    return failure_of(error, setup, "python-socks", _MEANINGS)


def _refusal(kind: FailureKind, text: str, response: Response, side: Side) -> Failure:
    return refusal(kind, text, response.status_code, _headers_of(response), bytes(response.body or b""), side)


class DialledConnection(Connection):
    """One connection of the library, with a deadline for what is sent; pings the peer, by a timer and no task."""

    def __init__(self, session: Session, socket: BoundedConnection, setup: WebSocketSetup) -> None:
        headers = Headers()
        if socket.request is not None and socket.response is not None:
            headers = _headers_of(socket.response)
            for read in (socket.request, socket.response):
                read.headers.clear()  # together 3 KiB, which nobody reads any more
        super().__init__(session, setup.url, headers, subprotocol=socket.subprotocol)
        self.wire = socket.wire if isinstance(socket, LeanConnection) else None
        self.socket, self.secrets = socket, setup.secrets()
        self.ping_interval, self.ping_timeout = setup.ping_interval, setup.ping_timeout
        self.write_timeout, self.silence = setup.timeouts.write, setup.timeouts.silence
        self.timer: asyncio.TimerHandle | None = None
        gone = Failure("closed", "the connection has ended")
        socket.on_lost = lambda: self.fail_calls(replace(gone, code=socket.close_code))

    @property
    def is_open(self) -> bool:
        """Whether the close handshake has not begun."""
        return self.socket.state is State.OPEN

    async def carry(self, data: Data) -> None:
        """Send one message; a peer that takes nothing for too long is cut off."""
        socket = self.socket
        rest = socket.begin(data) if isinstance(socket, LeanConnection) else socket.send(data)
        if rest is None:
            return
        try:
            async with asyncio.timeout(self.write_timeout):
                await rest
        except TimeoutError:
            await self.cut(Failure("silent", f"the peer took nothing for {self.write_timeout} seconds"))
            raise LinkDown(self.link.name, "the peer takes nothing") from None
        except ConnectionClosed as closed:
            failure = self.end_of(closed)
            raise LinkDown(self.link.name, failure.text, failure.code) from closed

    async def hang_up(self, failure: Failure) -> Failure:
        """Close with a handshake; the library gives up on a peer that lingers."""
        if self.ended_by is None and self.is_open:
            self.ended_by = self._redacted(failure)
        await self.socket.close(failure.code or 1011, failure.reason)
        return failure

    async def cut(self, failure: Failure) -> Failure:
        """End the connection without a handshake, and so without its code and reason."""
        failure = replace(failure, code=None, reason="")
        self.ended_by = self.ended_by or failure
        self.socket.transport.abort()
        return failure

    def end_of(self, error: ConnectionClosed) -> Failure:
        """Return why the connection has ended."""
        if self.ended_by is not None:
            return self.ended_by
        if error.rcvd is not None and (error.rcvd_then_sent or error.sent is None):
            return self._redacted(closed("peer", error.rcvd.code, error.rcvd.reason))
        if error.sent is not None:
            return self._redacted(closed("us", error.sent.code, error.sent.reason))
        cause = error.__cause__
        return Failure("closed", "the connection was lost" + (printable(f": {cause}") if cause and str(cause) else ""))

    def _redacted(self, failure: Failure) -> Failure:
        return replace(failure, text=without_secrets(failure.text, self.secrets))

    def rest(self) -> None:
        """Ping after the interval."""
        if self.ping_interval is not None:
            self.timer = asyncio.get_running_loop().call_later(self.ping_interval, self._begin_ping)

    def _begin_ping(self) -> None:
        if self.is_current:
            self.spawn(self._ping(), name=f"links: {self.id} ping")

    async def _ping(self) -> None:
        """Cut off a peer that does not answer; while slow handlers keep us from reading, that says nothing."""

        async def ping() -> float:
            return await (await self.socket.ping())

        answer = asyncio.ensure_future(ping())
        try:
            while not answer.done():
                was_blocked = self.session.is_blocked
                done, _ = await asyncio.wait({answer}, timeout=self.ping_timeout)
                if not (done or was_blocked or self.session.is_blocked):
                    await self.cut(Failure("silent", f"no answer to a ping within {self.ping_timeout:g} seconds"))
                    return  # the reader takes what came before, and says why
        finally:
            answer.cancel()
        if not answer.cancelled() and answer.exception() is None:  # else the reader knows why
            self.link.latency = answer.result()
            self.rest()

    async def leave(self) -> None:
        """Ping no more, and close the socket, whatever its state; cut it off if this task is cancelled meanwhile."""
        if self.timer is not None:
            self.timer.cancel()
        if self.socket.state is State.CLOSED:
            return
        try:
            await self.socket.close(1001)
        except asyncio.CancelledError:
            self.socket.transport.abort()
            raise


class WebSocketLink(DialledLink[WebSocketSetup]):
    """Dials, and keeps one connection."""

    kind = "websocket"
    goodbye = 1001, "shutting down"
    setup_type = WebSocketSetup

    async def attempt(self, schedule: Schedule) -> Failure:
        """Dial, and serve the connection until it ends."""
        setup = await self.setup_for(schedule)
        socket = await dial(setup)
        assert isinstance(socket, BoundedConnection)
        connection = DialledConnection(self.session(), socket, setup)
        connection.rest()
        cancelled = closed("us", 1001)  # the program stops or restarts the link
        reading = read(connection, self._take_in(connection), None, connection.silence)
        try:
            return await hold(connection, cancelled, reading, serve(connection, f"connected to {self.target}"))
        finally:
            try:
                await connection.leave()
            finally:
                await finish(connection)

    async def _take_in(self, connection: DialledConnection) -> Failure:
        socket, silence = connection.socket, connection.silence

        async def receive() -> Data:
            async with asyncio.timeout(silence):
                return await socket.recv()

        intake = Intake(self.receiver or connection.session, connection)
        try:
            if silence is None and connection.wire is not None:
                await intake.pour(connection.wire)
            else:
                await intake.fetch(receive)
            raise end_of(socket)
        except ConnectionClosed as closed:
            return connection.end_of(closed)


def _headers_of(response: Response) -> Headers:
    found = response.headers.raw_items()
    return Headers(raw=[(name.lower().encode(), text.encode("latin-1", "replace")) for name, text in found])
