"""HTTP/1.1 for uvicorn's server: `uvicorn.run(app, http=HTTPProtocol)`.

Most requests have come whole with one read, and most responses are made whole. Such a request is served within
`data_received`: the parser's callbacks make the scope, the application's direct door is stepped, and the response is
written at once. All else (bodies that are still coming, streams, applications of other kinds) goes by ASGI's messages,
also in turn: a connection never serves two requests at a time.

`head.py` reads what a request says, `framing.py` writes what a response says, `exchange.py` is one of both;
`service.py` is what connections have in common. docs/design/0018 has the reasons.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from slipstream.server.exchange import Exchange
from slipstream.server.framing import CONTINUE, RETRY, short_answer
from slipstream.server.head import (
    CHUNKED,
    NOTED,
    Noted,
    Refusal,
    body_length,
    check_host,
    expects_continue,
    read_target,
    refusal_of,
    wants_websocket,
)
from slipstream.server.service import MOST_IN_PLACE, NEVER, Service, service_for

SLICE: Final = 4096
"""Bytes that are parsed at once where requests may follow each other: no more are parsed ahead of being served."""

MOST_KEPT: Final = 65536
"""Bytes, of a body or of requests to come, with which reading pauses; and the longest body that is waited for."""

_LINGER: Final = 2
"""Seconds in which a client may go on sending what is dropped, so that it can read why (RFC 9112, 9.6)."""
_MOST_DROPPED: Final = 1 << 20

_METHODS: Final = {
    method.encode(): method for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
}


class Handshake(NamedTuple):
    """A request for a WebSocket."""

    scope: Any
    """As of a request of HTTP."""
    url: bytes
    """Its target as it was sent."""
    rest: bytes
    """What has come behind it."""


class HTTPProtocol(asyncio.Protocol):
    """One connection: reads requests, has them served in turn, keeps to the limits.

    Attributes:
        deadline: When the connection has taken too long for what it is at, in the loop's time.
        is_last: Whether no request after the one that is being served will be.
    """

    __slots__ = (
        "_body_begun",
        "_body_size",
        "_direct",
        "_dropped",
        "_fault",
        "_fed",
        "_handover",
        "_has_eof",
        "_has_last",
        "_headers",
        "_host",
        "_is_draining",
        "_is_head_timed",
        "_is_in_head",
        "_is_over",
        "_is_read_paused",
        "_noted",
        "_parser",
        "_pending",
        "_piece",
        "_reading",
        "_ready",
        "_room",
        "_serving",
        "_url",
        "buffered",
        "client",
        "deadline",
        "is_last",
        "is_trusted",
        "scheme",
        "server",
        "service",
        "stalled_since",
        "transport",
    )  # fmt: skip
    is_websocket = False

    def __init__(
        self,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.service: Service = service_for(config, server_state, app_state, _loop)
        self._direct = self.service.direct_door()
        self._parser: Any = HttpRequestParser(self)
        self.is_last = False
        self._reading: Exchange | None = None
        """The request whose body is coming."""
        self._ready: list[Exchange] = []
        """Requests that may be served, in order."""
        self._serving: Exchange | None = None
        self._pending: memoryview | None = None
        """What has come and is not parsed yet."""
        self._fault: Refusal | None = None
        """Why what follows the requests in `_ready` is not served."""
        self._handover: Handshake | None = None
        """What the WebSocket protocol gets when the requests before are answered."""
        self._room: asyncio.Future[None] | None = None
        """What waits for the transport to have room; None if it has."""
        self._is_over = self._is_draining = self._is_read_paused = False
        self._has_eof = False
        """Whether the client sends nothing more."""
        self._has_last = False
        """Whether a request has been parsed that says it is the last one."""
        self._is_in_head = self._is_head_timed = False
        self._host: bytes | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._fed = self._piece = self.buffered = self._body_size = self._dropped = 0
        self.stalled_since = self._body_begun = 0.0

    # --- the transport's calls -------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Begin, if there is room for the connection."""
        service = self.service
        self.transport = transport
        self.server, self.client = _address(transport, "sockname"), _address(transport, "peername")
        self.scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self.is_trusted = service.proxies.trusts(self.client[0] if self.client else "unix")
        service.state.connections.add(self)
        refused = service.admit(self)
        if refused is not None:
            service.refuse(refused, f"Connection refused: as many as the limit of {refused} are open.")
            self._is_over = True
            transport.write(short_answer(503, service.state.default_headers, "Service Unavailable"))
            transport.close()
        else:
            self.deadline = service.deadline(service.limits.head_time)

    def data_received(self, data: bytes) -> None:
        """Parse, and serve what is whole."""
        if self._is_over or self._has_last:
            self._drop(len(data))
            return
        if self._pending is None and self._serving is None and len(data) <= SLICE and not self._ready:
            self._feed(data)
            service = self.service
            if self._ready and service.in_place < MOST_IN_PLACE:
                service.in_place += 1
                self._serve(self._ready.pop(0))
            else:
                self.go_on()
            return
        # While a request is served, only its own body is parsed.
        self._pending = memoryview(data if self._pending is None else b"".join((self._pending, data)))
        if len(self._pending) > MOST_KEPT:
            self._pause_reading()
        if self._serving is None:
            self.service.soon(self)
        else:
            self._parse_pending()
            if self._fault is not None:
                self.go_on()

    def eof_received(self) -> bool:
        """Answer what has been asked, if the transport can; the client may be gone, or only have nothing to add."""
        self._has_eof = True
        if self._is_over or self.scheme == "https":
            return False
        serving = self._serving
        if serving is not None:
            if serving.is_cancelled_by_leaving:
                return False
            serving.leave(is_gone=serving is self._reading)
        self.service.soon(self)
        return serving is not None or bool(self._ready) or self._pending is not None

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell applications that the client has left."""
        service = self.service
        service.dismiss(self)
        service.state.connections.discard(self)
        self._is_over = True
        self.deadline = NEVER
        for exchange in (self._serving, self._reading):
            if exchange is not None:
                exchange.leave(is_gone=True)
        self._ready.clear()
        self._pending = self._reading = self._parser = None
        self.resume_writing()

    def pause_writing(self) -> None:
        """Have senders wait, since the client does not take what is sent."""
        if self._room is None:
            self._room = self.service.loop.create_future()

    def resume_writing(self) -> None:
        """Have senders go on."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        if not self._is_over and self._serving is None:
            self.service.soon(self)

    def shutdown(self) -> None:
        """Serve what has been parsed, no more; called by the server."""
        self._is_draining = True
        self._pending = None
        if self._serving is None and not self._ready and self._reading is None:
            self._close()
        elif not self._ready:
            self.is_last = True

    def drain(self) -> None:
        """Have the response that is under way say that it is the last; `Service.drain` sees to later ones."""
        if self._serving is not None and not self._ready:
            self.is_last = True

    @property
    def is_idle(self) -> bool:
        """Whether everything that has come is answered."""
        return not (self._serving or self._is_there_more or self._is_in_head or self._is_over)

    # --- the parser's calls ------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._is_in_head, self._is_head_timed = True, False
        self._fed = self._piece  # or less, if it begins within the piece
        self._url = b""
        self._headers = []
        self._noted: Noted = {}

    def on_url(self, url: bytes) -> None:
        """Take in the target, or a piece of it."""
        self._url = self._url + url if self._url else url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header, or a field of the trailer."""
        if not self._is_in_head:
            self._count_trailer(name, value)
            return
        name = name.lower()
        if name in NOTED:
            if name in self._noted:
                if name == b"host":
                    raise Refusal(400, "The request has two Host headers.")
                self._noted[name] += b", " + value
            else:
                self._noted[name] = value
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Make the request of its head."""
        service, parser, noted, url = self.service, self._parser, self._noted, self._url
        headers = self._headers
        if len(headers) > service.most_headers or self._fed > service.safe_size:
            self._measure()
        method = parser.get_method()
        keep_alive = parser.should_keep_alive()
        # Without a Connection header, only HTTP/1.1 keeps a connection.
        version = "1.1" if keep_alive and b"connection" not in noted else parser.get_http_version()
        if noted.get(b"host") != self._host or self._host is None:
            check_host(noted.get(b"host"), version)
            self._host = noted.get(b"host")
        verb = _METHODS.get(method)
        if verb is not None and url[:1] == b"/" and b"#" not in url:
            raw_path, _, query = url.partition(b"?")
        else:
            raw_path, query, authority = read_target(method, url)
            if authority is not None:
                headers[:] = [(b"host", authority), *(pair for pair in headers if pair[0] != b"host")]
        path = raw_path.decode("ascii")
        if "%" in path:
            path = unquote(path)
        client, scheme = self.client, self.scheme
        if version not in ("1.0", "1.1"):
            raise Refusal(505, "This server speaks HTTP/1.0 and HTTP/1.1.")
        length, expects = 0, False
        others = len(noted) - (b"host" in noted) - (b"connection" in noted)
        if others == 1 and b"content-length" in noted:
            length = int(noted[b"content-length"])
        elif others > 0:
            length, expects = body_length(noted, version), expects_continue(noted, version)
            if self.is_trusted:
                client, scheme = service.proxies.origin(noted, client, scheme)
        root_path = service.root_path
        if root_path:
            path, raw_path = root_path + path, service.raw_root_path + raw_path
        self._is_in_head = False
        self._reading = exchange = Exchange(
            self,
            {
                "type": "http",
                "asgi": service.asgi,
                "http_version": version,
                "method": verb or method.decode("ascii"),
                "scheme": scheme,
                "path": path,
                "raw_path": raw_path,
                "query_string": query,
                "root_path": root_path,
                "headers": headers,
                "client": client,
                "server": self.server,
                "state": service.app_state.copy(),
            },
            keep_alive=keep_alive,
        )
        if length:
            exchange.body_left, exchange.expects_continue = length, expects
            self._body_size, self._body_begun = 0, service.now

    def on_body(self, part: bytes) -> None:
        """Give a piece of the body to whoever reads it."""
        exchange = self._reading
        if exchange is None:
            return
        size = len(part)
        if exchange.body_left > 0:
            exchange.body_left -= size
        self._body_size += size
        if exchange.is_answered:
            return
        exchange.take(part)
        if exchange.unread > MOST_KEPT:
            self._pause_reading()

    def on_message_complete(self) -> None:
        """Have the request wait for its turn, unless it is being served already."""
        exchange = self._reading
        if exchange is None or (b"upgrade" in self._noted and self._parser.should_upgrade()):
            return
        self._reading = None
        exchange.is_whole, exchange.expects_continue = True, False
        if exchange is self._serving:
            self.deadline = NEVER
            exchange.wake()
        elif not exchange.is_answered:
            self._ready.append(exchange)
        if not exchange.keep_alive:
            self._has_last = True  # the parser raises at what follows, which is no request (RFC 9112, 9.6)

    # --- parsing -----------------------------------------------------------------------------------------------------

    def _feed(self, data: "bytes | memoryview") -> None:
        """Parse a piece."""
        self._piece = len(data)
        if self._is_in_head:
            self._fed += self._piece
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except HttpParserError as error:
            self._fail(error, data)
        else:
            if self._is_in_head:
                self._wait_for_head()
            elif self._reading is not None:
                self.deadline = self.service.deadline(self.service.limits.body_silence)

    def _wait_for_head(self) -> None:
        """Bound time and size of a head that is not complete."""
        limits = self.service.limits
        if not self._is_head_timed:
            self._is_head_timed = True
            self.deadline = self.service.deadline(limits.head_time)
        if self._fed > self.service.safe_size:
            try:
                self._measure()
            except Refusal as refusal:
                self._fail_by(refusal)

    def _parse_pending(self) -> None:
        """Parse what is there, as far as somebody takes it."""
        while self._pending is not None and self._can_parse:
            pending = self._pending
            reading = self._reading
            # No piece ends within the next request, if the length of the body is known.
            size = reading.body_left if reading is not None and reading.body_left > 0 else SLICE
            self._pending = pending[size:] if size < len(pending) else None
            self._feed(pending[:size])
        if self._is_read_paused and self._pending is None and self._can_parse:
            self._is_read_paused = False
            self.transport.resume_reading()

    @property
    def _can_parse(self) -> bool:
        if self._is_over or self._ready or self._has_last or self._handover is not None or self._fault is not None:
            return False
        reading = self._reading
        if reading is None:
            return self._serving is None
        return reading.unread <= MOST_KEPT

    def _measure(self) -> None:
        """Raise a Refusal if the head, as far as it is there, is longer than the limits."""
        limits = self.service.limits
        line = len(self._url) + 16  # method, version and spaces
        if limits.request_line and line > limits.request_line:
            raise Refusal(414, "The request line is too long.")
        sizes = [len(name) + len(value) + 2 for name, value in self._headers]
        if limits.header_count and len(sizes) > limits.header_count:
            raise Refusal(431, "The request has too many headers.")
        if limits.header_line and max(sizes, default=0) > limits.header_line:
            raise Refusal(431, "A header is too long.")
        known = line + sum(sizes) + 2 * len(sizes)
        # The rest of what was fed may be one line that has no end yet.
        if limits.head_size and (
            known > limits.head_size or (self._is_in_head and self._fed > limits.head_size + SLICE)
        ):
            raise Refusal(431, "The headers are too long.")

    def _count_trailer(self, name: bytes, value: bytes) -> None:
        """Count a field of the trailer, which nobody gets, as a header of the request."""
        exchange, limits = self._reading, self.service.limits
        if exchange is None:
            return
        exchange.trailers += len(name) + len(value) + 4
        if limits.head_size and exchange.trailers > limits.head_size:
            raise Refusal(431, "The trailer is too long.")

    def _fail(self, error: HttpParserError, data: "bytes | memoryview") -> None:
        """Refuse what cannot be parsed, or raise what is a fault of ours."""
        context = error.__context__
        if context is not None and not isinstance(context, (Refusal, HttpParserError, ValueError)):
            self.service.logger.error("Exception in the server's protocol\n", exc_info=context)
        if self._has_last and self._reading is None:
            self._dropped += 1
            return
        self._fail_by(refusal_of(error, bytes(data[:80])))

    def _fail_by(self, refusal: Refusal) -> None:
        self._fault = refusal
        self._is_in_head = False
        self._pending = None

    # --- serving -----------------------------------------------------------------------------------------------------

    def go_on(self) -> None:
        """Do what can be done: parse, serve the next request, begin a long one, refuse, or close."""
        if self._is_over or self._room is not None:
            return
        if self._serving is None and not self._ready:
            self._parse_pending()
        if self._serving is not None:
            if self._fault is not None and self._serving is self._reading:
                self._break_body(self._fault)
            return
        if self._ready:
            service = self.service
            if service.in_place < MOST_IN_PLACE:
                service.in_place += 1
                self._serve(self._ready.pop(0))
            else:
                service.soon(self)
        elif self._handover is not None:
            self._hand_over(self._handover)
        elif self._fault is not None:
            self._refuse(self._fault)
        elif self._reading is not None and self._is_to_stream(self._reading):
            self._serve(self._reading)
        elif self._has_eof or self._is_draining:
            self._close()

    @staticmethod
    def _is_to_stream(exchange: Exchange) -> bool:
        """Whether a request is served before its body is whole: most short ones will be whole before long."""
        left = exchange.body_left
        return exchange.expects_continue or left == CHUNKED or left + exchange.unread > MOST_KEPT

    def _serve(self, exchange: Exchange) -> None:
        """Have a request served; the connection is not idle until it is answered."""
        service = self.service
        self._serving = exchange
        if exchange.is_whole:
            self.deadline = NEVER
        if (self._is_draining or service.is_draining) and not self._ready:
            self.is_last = True
        if service.health and exchange.scope["path"] in service.health:
            exchange.reply(*service.health_at(exchange.scope["path"]))
        elif service.is_bounded and service.is_full():
            service.refuse("requests", "Exceeded concurrency limit.")
            exchange.keep_alive = False
            exchange.reply(503, _FULL, b"Service Unavailable")
        else:
            exchange.begin(service.app, self._direct)

    def answered(self, exchange: Exchange, *, keeps_alive: bool) -> None:
        """Go on to the next request, or close."""
        service = self.service
        self._serving = None
        service.state.total_requests += 1
        if not keeps_alive:
            self._close()
            return
        limits = service.limits
        if self._reading is not None:
            self.deadline = service.deadline(limits.body_silence)
            if self._reading is exchange:  # the rest of its body is not for the application
                exchange.parts.clear()
                exchange.unread = 0
        else:
            self.deadline = service.deadline(limits.head_time) if self._is_in_head else service.idle_deadline
        if self._is_read_paused or self._has_eof or self._is_draining or self._is_there_more:
            service.soon(self)

    @property
    def _is_there_more(self) -> bool:
        """Whether something has come that is not served yet."""
        return bool(self._ready or self._pending or self._reading or self._fault or self._handover)

    def invite(self) -> None:
        """Have the client send the body that it has announced."""
        self.transport.write(CONTINUE)
        self._body_begun = self.service.now
        self.deadline = self.service.deadline(self.service.limits.body_silence)

    def consumed(self) -> None:
        """Read on, after the application has taken what there was of a body."""
        if self._pending is not None or self._is_read_paused:
            self.service.soon(self)
        self._parse_pending()

    def write_room(self) -> Awaitable[None] | None:
        """Return what is done when the transport has room; None if it has."""
        return None if self._room is None else asyncio.shield(self._room)

    def broken_off(self) -> None:
        """End the connection, since a response has no end."""
        self._is_over = True
        self.transport.close()

    def _break_body(self, refusal: Refusal) -> None:
        """Refuse a request that is being served, since its body cannot be read."""
        exchange = self._serving
        assert exchange is not None
        if exchange.has_begun:
            exchange.leave(is_gone=True)
            self.broken_off()
        else:
            self._refuse(refusal)
            exchange.leave(is_gone=True)

    # --- ends --------------------------------------------------------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is not served, and close."""
        service = self.service
        service.refuse(str(refusal.status), refusal.reason)
        usual = service.state.default_headers
        self.transport.write(short_answer(refusal.status, usual, refusal.reason, refusal.headers))
        self._linger()

    def _close(self) -> None:
        """Close, now that everything is answered; at leisure if more may be coming."""
        self._ready.clear()
        if self._has_eof or (self._reading is None and self._pending is None and not self._dropped):
            self._is_over = True
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Close the sending side; drop what comes, since closing over unread bytes would take the answer back."""
        self._is_over = True
        self._pending = self._reading = None
        self._dropped = 0
        self.deadline = self.service.now + _LINGER + 1
        transport = self.transport
        if self._has_eof or not transport.can_write_eof():
            transport.close()
            return
        transport.write_eof()
        if self._is_read_paused:
            self._is_read_paused = False
            transport.resume_reading()

    def _drop(self, size: int) -> None:
        self._dropped += size
        if not self._is_over:
            if self._dropped > MOST_KEPT:
                self._pause_reading()
        elif self._dropped > _MOST_DROPPED:
            self.transport.abort()

    def _pause_reading(self) -> None:
        if not self._is_read_paused:
            self._is_read_paused = True
            self.transport.pause_reading()

    # --- time --------------------------------------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """End what has taken too long; called once a second while the deadline is over."""
        self.deadline = NEVER
        if self._is_over:
            self.transport.abort()
        elif self._reading is not None:
            if self._is_read_paused or self._reading.expects_continue:  # it is the application that does not read
                self.deadline = self.service.deadline(self.service.limits.body_silence)
            else:
                self._time_out("The body has come too slowly.")
        elif self._is_in_head:
            self._time_out("The head has come too slowly.")
        else:
            self.service.refused["idle"] += 1
            self._has_eof = True  # nothing has come, and nothing that comes is read
            self._close()

    def _time_out(self, reason: str) -> None:
        refusal = Refusal(408, reason)
        if self._serving is None:
            self._refuse(refusal)
        else:
            self._break_body(refusal)

    def tick(self, now: float) -> None:
        """End a connection whose client sends its body by drops; called once a second."""
        limits = self.service.limits
        if self._reading is not None and not self._is_over and limits.body_rate:
            if self._is_read_paused or self._reading.expects_continue:
                self._body_begun = max(self._body_begun + 1, now - limits.body_grace)
            elif (
                taken := now - self._body_begun
            ) > limits.body_grace + 1 and self._body_size < taken * limits.body_rate:
                self._time_out("The body has come too slowly.")

    # --- other protocols ---------------------------------------------------------------------------------------------

    def _upgrade(self, rest: "bytes | memoryview") -> None:
        """Hand the connection to the WebSocket protocol; go on without the upgrade if it asks for another."""
        exchange, service = self._reading, self.service
        assert exchange is not None
        scope, kind = exchange.scope, service.config.ws_protocol_class
        is_handshake = scope["method"] == "GET" and scope["http_version"] == "1.1" and wants_websocket(self._noted)
        if is_handshake and kind is not None:
            self._reading = None
            if exchange.body_left:
                self._fail_by(Refusal(400, "A handshake has no body."))
                return
            self._handover = Handshake(scope, self._url, bytes(rest))
            if self._ready:
                self._pause_reading()  # until these are answered
            return
        # The parser has stopped behind the head, even if a body follows: another reads it without the Upgrade.
        lines = _head_lines(scope, self._url, without=b"upgrade")
        self._parser, self._reading, self._fed = HttpRequestParser(self), None, 0
        with suppress(HttpParserError):
            self._parser.feed_data(lines)
        for known in (self._reading, *self._ready[-1:]):
            if known is not None:
                known.scope["headers"] = scope["headers"]
        if rest:
            self._pending = memoryview(rest if self._pending is None else b"".join((rest, self._pending)))

    def _hand_over(self, handshake: Handshake) -> None:
        """Give the connection to what the WebSocket protocol makes of a handshake, or refuse it."""
        service = self.service
        take_over: TakeOver = getattr(service.config.ws_protocol_class, "take_over", _replayed)
        try:
            if service.is_bounded and service.is_full():
                raise Refusal(503, "Exceeded concurrency limit.")
            successor, data = take_over(self, handshake)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        if self._pending is not None:
            data += bytes(self._pending)
        if self._is_read_paused:
            self.transport.resume_reading()
        self._is_over, self._pending, self._parser, self._handover = True, None, None, None
        self.deadline = NEVER
        self.transport.set_protocol(successor)
        if data:
            successor.data_received(data)


TakeOver = Callable[[HTTPProtocol, Handshake], tuple[asyncio.Protocol, bytes]]
"""Makes the successor of a connection, and what it has to be given first; raises a Refusal instead."""


def _replayed(connection: HTTPProtocol, handshake: Handshake) -> tuple[asyncio.Protocol, bytes]:
    """Make a WebSocket protocol of another's, which has to be given the head again."""
    service = connection.service
    service.dismiss(connection)
    service.state.connections.discard(connection)
    config = service.config
    protocol = config.ws_protocol_class(config=config, server_state=service.state, app_state=service.app_state)
    protocol.connection_made(connection.transport)
    return protocol, _head_lines(handshake.scope, handshake.url) + handshake.rest


def _head_lines(scope: Any, url: bytes, *, without: bytes = b"") -> bytes:
    """Write the head of a request again."""
    lines = [b"%b: %b\r\n" % pair for pair in scope["headers"] if pair[0] != without]
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (scope["method"].encode(), url, b"".join(lines))


_FULL: Final = ((b"content-type", b"text/plain; charset=utf-8"), *RETRY)


def _address(transport: Any, side: str) -> tuple[str, Any] | None:
    """Return host and port of a side; path and None of a unix socket that has one."""
    found = transport.get_extra_info(side)
    if isinstance(found, (tuple, list)) and len(found) >= 2:
        return str(found[0]), int(found[1])
    if isinstance(found, str) and found and side == "sockname":
        return found, None
    return None
