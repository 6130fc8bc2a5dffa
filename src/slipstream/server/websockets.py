"""WebSockets for uvicorn's server: `uvicorn.run(app, ws=WebSocketProtocol)`, RFC 6455 by our own means.

The handshake is a request, which `http.py` has parsed and held to the limits; then a `ServerSocket` is the protocol at
the transport. It is the wire itself: a plain message goes to the task that waits for it within `data_received`, and
becomes an event of ASGI only for an application that asks for one. Time is looked at once a second, by the service.
"""

import asyncio
import os
from typing import Any, Final, NoReturn

from starlette.types import Message, Scope

from slipstream._sockets.behind import DirectProtocol
from slipstream._sockets.deflate import LEAST, Deflate, Terms
from slipstream._sockets.frames import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Violation,
    read_close,
    read_frame,
    write_close,
    write_compressed,
    write_control,
    write_frame,
)
from slipstream._sockets.wire import Wire
from slipstream.server import framing
from slipstream.server.framing import short_answer
from slipstream.server.handshake import Opening, acceptance, agree, read_opening
from slipstream.server.http import Handshake, HTTPProtocol
from slipstream.server.log import target_of
from slipstream.server.service import NEVER

_OPENING, _DENYING, _OPEN, _CLOSING, _OVER = range(5)
"""Before the application has answered the handshake; while it refuses; then; after our close frame; at the end."""

_CLOSE_TIME: Final = 10
"""Seconds for the client's close frame, and for what it has to be sent before."""
_LAST_TIME: Final = 2
"""The same when the server stops, or the client has broken the protocol."""
_MOST_EARLY: Final = 65536
_MOST_DROPPED: Final = 1 << 20
_GOING_AWAY: Final = 1012


class ClientGone(OSError):
    """The client has left; an application that does not handle it has done nothing wrong."""


class ServerSocket(DirectProtocol, Wire):
    """One WebSocket: reads and writes its frames, and is ASGI's two functions.

    Attributes:
        deadline: When a ping is due, or what is waited for has taken too long; in the loop's time.
    """

    __slots__ = (
        "_deflate",
        "_denial",
        "_dropped",
        "_early",
        "_extension",
        "_has_left",
        "_is_closed_by_us",
        "_is_compressed",
        "_is_connected",
        "_is_gone",
        "_is_text",
        "_is_told",
        "_key",
        "_parts",
        "_ping",
        "_room",
        "_scope",
        "_size",
        "_stage",
        "buffered",
        "client",
        "deadline",
        "service",
        "stalled_since",
    )  # fmt: skip
    is_websocket = True
    is_idle = False  # for the server: it is told by `shutdown`

    def __init__(self, connection: HTTPProtocol, opening: Opening, scope: Scope) -> None:
        service, config = connection.service, connection.service.config
        super().__init__(
            service.loop, masked=True, max_size=config.ws_max_size, high=max(config.ws_max_queue, 1), low=0
        )
        self.service, self.transport, self.client = service, connection.transport, connection.client
        self.deadline = service.deadline(service.limits.handshake_time)
        self._key, self._scope = opening.key, scope
        agreed: tuple[Terms | None, str] | None = None
        if config.ws_per_message_deflate and opening.extensions:
            agreed = agree(opening.extensions)
        terms, self._extension = agreed or (None, "")
        self._deflate = None if terms is None else Deflate(terms, service.compressors)
        self._stage = _OPENING
        self._passing = True  # until the handshake is answered
        self._early = b""
        self._denial: framing.Head | Message | None = None
        self._parts: list[bytes] | None = None
        """Of a message that comes in several frames."""
        self._ping: bytes | None = None
        """What the client has to send back."""
        self._room: asyncio.Future[None] | None = None
        self._is_connected = self._is_closed_by_us = self._is_told = self._is_gone = self._has_left = False
        self._is_text = self._is_compressed = False
        self._size = self._dropped = self.buffered = 0
        self.stalled_since = 0.0

    def begin(self) -> None:
        """Have the application serve the connection."""
        service = self.service
        running = service.app(self._scope, self.receive_event, self.send_event)
        task = service.loop.create_task(running, context=service.context.copy())
        service.state.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        """Close what the application has left open."""
        service = self.service
        service.state.tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if isinstance(error, Exception) and not isinstance(error, ClientGone):
            service.logger.error("Exception in ASGI application\n", exc_info=error)
        elif error is None and self._stage == _OPENING and not self._is_gone:
            service.logger.error("ASGI callable returned without completing handshake.")
        elif error is None and task.result() is not None:
            service.logger.error("ASGI callable should return None, but returned '%s'.", task.result())
        if self._stage == _OPENING:
            self._refuse(500, "Internal Server Error")
        elif self._stage == _DENYING:
            self._end()
        elif self._stage == _OPEN:
            self._close(1000 if error is None else _GOING_AWAY if task.cancelled() else 1011, "")

    # --- the transport's calls -------------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application; without a close frame the code is 1006."""
        service = self.service
        service.dismiss(self)
        service.state.connections.discard(self)
        self.deadline, self.is_open, self._stage, self._is_gone = NEVER, False, _OVER, True
        self._tell(1006, "")
        self.resume_writing()

    def eof_received(self) -> bool:
        """Close, since a client that sends no close frame is gone."""
        return False

    def pause_writing(self) -> None:
        """Have senders wait, since the client does not take what is sent."""
        self.is_full = True
        if self._room is None:
            self._room = self.service.loop.create_future()

    def resume_writing(self) -> None:
        """Have senders go on."""
        self.is_full = False
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def shutdown(self) -> None:
        """Tell the client that the server stops; called by the server."""
        if self._stage == _OPENING:
            self._refuse(503, "The server is about to stop.")
        elif self._stage == _OPEN:
            self.service.loop.call_later(self.service.spread(), self._leave)

    def drain(self) -> None:
        """Go on, until `shutdown`; called when the server takes no more connections."""

    def _leave(self) -> None:
        if self._stage == _OPEN:
            self._close(_GOING_AWAY, "", _LAST_TIME)

    # --- what comes --------------------------------------------------------------------------------------------------

    def pass_on(self, frame: bytes) -> bool:
        """Take a frame that is no plain message; return whether frames that follow are taken."""
        stage = self._stage
        if stage == _OPENING:
            self._early += frame
            if len(self._early) > _MOST_EARLY and not self.read_paused:
                self.read_paused = True
                self.transport.pause_reading()
            return False
        if stage in (_DENYING, _OVER):
            self._dropped += len(frame)
            if self._dropped > _MOST_DROPPED:
                self.transport.abort()
            return False
        try:
            self._take_frame(frame)
        except Violation as violation:
            self._fail(violation)
        return self._stage != _OVER

    def _take_frame(self, frame: bytes) -> None:
        opcode, is_last, is_compressed, payload = read_frame(frame, self._max_size)
        if opcode == PING:
            if not self.is_full and self._stage == _OPEN:  # only the latest has to be answered
                self.transport.write(write_control(PONG, payload))
        elif opcode == PONG:
            if payload == self._ping:
                self._ping = None
                self.deadline = self.service.deadline(self.service.config.ws_ping_interval or 0)
        elif opcode == CLOSE:
            self._take_close(*read_close(payload))
        else:
            self._take_part(opcode, payload, is_last=is_last, is_compressed=is_compressed)

    def _take_part(self, opcode: int, payload: bytes, *, is_last: bool, is_compressed: bool) -> None:
        """Take a message, or a part of one."""
        if is_compressed and self._deflate is None:
            raise Violation(1002, "reserved bit set")
        if (opcode == CONTINUATION) is (self._parts is None):
            raise Violation(1002, "fragments out of order")
        if opcode != CONTINUATION:
            self._is_text, self._is_compressed, self._parts, self._size = opcode == TEXT, is_compressed, [], 0
        assert self._parts is not None
        self._parts.append(payload)
        self._size += len(payload)
        if self._size > self._max_size:
            raise Violation(1009, "message too big")
        if not is_last:
            return
        message, self._parts = b"".join(self._parts), None
        if self._is_compressed and self._deflate is not None:
            message = self._deflate.decompress(message, self._max_size)
        self.take(self._is_text, message)

    def _take_close(self, code: int, reason: str) -> None:
        if self._stage == _OPEN:
            self.transport.write(write_close(code, ""))
            self._has_left = True
            self._tell_next(code, reason)
        self._end()

    def refuse_text(self) -> None:
        """End the connection, since a text is not UTF-8."""
        self._fail(Violation(1007, "text that is not UTF-8"))

    def _fail(self, violation: Violation) -> None:
        """Say what is wrong, and close; what comes is dropped for a while, so that the client can read it."""
        if self._stage == _OPEN:
            self.transport.write(write_close(violation.code, violation.reason))
        self._tell_next(violation.code, violation.reason)
        self._has_left = True
        self.is_open, self.is_leaving, self._passing, self._stage = False, True, True, _OVER
        self.deadline = self.service.deadline(_LAST_TIME)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._read_on()
        else:
            self.transport.close()

    # --- ends --------------------------------------------------------------------------------------------------------

    def _tell(self, code: int, reason: str) -> None:
        """Tell the application of the end, behind all messages, in the next turn of the loop."""
        if not self._is_told:
            self._is_told = True
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def _tell_next(self, code: int, reason: str) -> None:
        """Do the same within `data_received`, which gives what is in the queue to who waits."""
        if not self._is_told:
            self._is_told = True
            self.queue.add({"type": "websocket.disconnect", "code": code, "reason": reason})

    def _close(self, code: int, reason: str, seconds: float = _CLOSE_TIME) -> None:
        """Send a close frame, and wait for the client's."""
        self.transport.write(write_close(code, reason))
        self._tell(code, reason)
        self.is_open, self.is_leaving, self._stage = False, True, _CLOSING
        self.deadline = self.service.deadline(seconds)
        self._read_on()

    def _read_on(self) -> None:
        """Read what nobody will fetch, since the client's answer comes behind it."""
        if self.read_paused:
            self.resume()

    def _end(self) -> None:
        """Close the transport, as soon as all is written."""
        self.is_open, self.is_leaving, self._passing, self._stage = False, True, True, _OVER
        self.deadline = self.service.deadline(_CLOSE_TIME)
        self.transport.close()

    def _refuse(self, status: int, reason: str) -> None:
        """Answer a handshake that the application will not answer."""
        self._tell(1006, "")
        self._has_left = True
        self.transport.write(short_answer(status, self.service.state.default_headers, reason))
        self._end()

    # --- time --------------------------------------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """Send a ping, or end what has taken too long; called once a second while the deadline is over."""
        service = self.service
        self.deadline = NEVER
        if self._stage == _OPENING:
            service.refuse("handshake", "An application has not answered a WebSocket's handshake in time.")
            self._refuse(503, "The handshake has not been answered in time.")
        elif self._stage != _OPEN:
            self.transport.abort()
        elif self._ping is not None:
            service.refused["ping"] += 1
            self._close(1011, "keepalive ping timeout", 0)
            self._end()
        else:
            config, payload = service.config, os.urandom(4)
            self.transport.write(write_control(PING, payload))
            if config.ws_ping_timeout:
                self._ping = payload
            self.deadline = service.deadline(config.ws_ping_timeout or config.ws_ping_interval)

    def tick(self, now: float) -> None:
        """Give back a compressor that is seldom used; called once a second."""
        if self._deflate is not None:
            self._deflate.rest()

    # --- the application's calls -------------------------------------------------------------------------------------

    async def receive_event(self) -> Message:
        """Return the next event of ASGI; at the end, again and again that it is over."""
        if not self._is_connected:
            self._is_connected = True
            return {"type": "websocket.connect"}
        queue = self.queue
        item = queue.items.popleft() if queue.items else await queue.turn()
        if self.read_paused:
            self.resume()
        if isinstance(item, str):
            return {"type": "websocket.receive", "text": item}
        if isinstance(item, bytes):
            return {"type": "websocket.receive", "bytes": item}
        queue.put_back(item)
        return dict(item)

    async def send_event(self, message: Message) -> None:
        """Take an event of ASGI."""
        if message["type"] == "websocket.send" and self.is_open:
            data = message.get("bytes")
            if data is None:
                data = message.get("text")
            if data is None or self.send(data):  # one with neither is no message, as under uvicorn
                return
        await self._send_event(message)

    async def _send_event(self, message: Message) -> None:
        while self._room is not None:
            await asyncio.shield(self._room)
        kind = message["type"]
        if self._is_gone or self._has_left:
            raise ClientGone
        if self._stage == _OPENING:
            self._answer(message)
        elif self._stage == _DENYING:
            self._deny(message)
        elif self._stage != _OPEN:
            if not self._is_closed_by_us:
                raise ClientGone
            raise RuntimeError(f"Unexpected ASGI message '{kind}', after sending 'websocket.close'.")
        elif kind == "websocket.send":
            data = message.get("bytes")
            if not self.send(message.get("text", "") if data is None else data):
                raise ClientGone
        elif kind == "websocket.close":
            self._is_closed_by_us = True
            self._close(message.get("code", 1000), message.get("reason") or "")
        else:
            _unexpected("'websocket.send' or 'websocket.close'", kind)

    def send(self, data: str | bytes) -> bool:
        """Send a message if that is possible at once; return whether it was."""
        if not self.is_open or self.is_full or self.transport.is_closing():
            return False
        is_text = isinstance(data, str)
        payload: bytes = data.encode() if is_text else data  # type: ignore[union-attr,assignment]  # as `is_text` says
        if self._deflate is None or len(payload) < LEAST:
            self.transport.write(write_frame(is_text, payload))
        else:
            self.transport.write(write_compressed(is_text, self._deflate.compress(payload)))
        return True

    async def put(self, data: str | bytes) -> bool:
        """Send a message as soon as the transport's buffer has room; return False if the connection is gone."""
        while self._room is not None:
            await asyncio.shield(self._room)
        return self.send(data)

    def _answer(self, message: Message) -> None:
        """Answer the handshake as the application says."""
        kind, service = message["type"], self.service
        if kind == "websocket.accept":
            headers = [*service.state.default_headers, *message.get("headers", ())]
            written = acceptance(self._key, message.get("subprotocol"), self._extension, headers)
            self._log("[accepted]")
            self.transport.write(written)
            self._open()
        elif kind == "websocket.close":
            self._log("403")
            self._refuse(403, "")
        elif kind == "websocket.http.response.start":
            self._denial = message
            self._stage = _DENYING
            self._log(str(message["status"]))
        else:
            expected = "'websocket.accept', 'websocket.close' or 'websocket.http.response.start'"
            _unexpected(expected, kind)

    def _open(self) -> None:
        self._stage, self.is_open, self._passing = _OPEN, True, False
        self.deadline = self.service.deadline(self.service.config.ws_ping_interval or 0)
        early, self._early = self._early, b""
        if early:
            self._read_on()
            self.feed(early)
            self.service.loop.call_soon(self.queue.wake)

    def _deny(self, message: Message) -> None:
        """Write a piece of the response that refuses the handshake."""
        if message["type"] != "websocket.http.response.body":
            _unexpected("'websocket.http.response.body'", message["type"])
        content, is_last = message.get("body", b""), not message.get("more_body", False)
        begun = b""
        head = self._denial
        if not isinstance(head, framing.Head):
            assert head is not None
            headers = list(head.get("headers", ()))
            if is_last and not any(name.lower() in framing.FRAMING - {b"connection"} for name, _ in headers):
                headers.append((b"content-length", b"%d" % len(content)))
            usual = self.service.state.default_headers
            self._denial = head = framing.head(
                head["status"], headers, usual, method="GET", version="1.1", keep_alive=False
            )
            begun = head.written
        self.transport.write(begun + (framing.chunk(content, is_last=is_last) if head.is_chunked else content))
        if is_last:
            self._tell(1006, "")
            self._end()

    def _log(self, what: str) -> None:
        host, port = self._scope["client"] or ("", 0)
        self.service.logger.info('%s - "WebSocket %s" %s', f"{host}:{port}", target_of(self._scope), what)


def _unexpected(expected: str, kind: str) -> NoReturn:
    raise RuntimeError(f"Expected ASGI message {expected}, but got '{kind}'.")


class WebSocketProtocol(HTTPProtocol):
    """The protocol class to give to uvicorn: `uvicorn.run(app, ws=WebSocketProtocol)`.

    Our protocol for HTTP hands a handshake over by `take_over`. uvicorn's own make an object of this class, and give
    it the head again, which is then read as any request.
    """

    __slots__ = ("_successor",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._successor: ServerSocket | None = None

    @staticmethod
    def take_over(connection: HTTPProtocol, handshake: Handshake) -> tuple[asyncio.Protocol, bytes]:
        """Make the WebSocket of a handshake that a connection has parsed, and begin to serve it.

        Raises:
            Refusal: It is none.
        """
        service, given = connection.service, handshake.scope
        opening = read_opening(given["headers"], service.limits.websocket_origins)
        scope = {
            **given,
            "type": "websocket",
            "asgi": service.asgi_of_websockets,
            "scheme": "wss" if given["scheme"] == "https" else "ws",
            "subprotocols": opening.subprotocols,
            "extensions": {"websocket.http.response": {}},
        }
        del scope["method"]
        socket = ServerSocket(connection, opening, scope)
        if isinstance(connection, WebSocketProtocol):
            connection._successor = socket
        service.replace(connection, socket)
        socket.begin()
        return socket, handshake.rest

    def data_received(self, data: bytes) -> None:
        """Take in the handshake; what follows is for the socket, though uvicorn makes this the protocol again."""
        if self._successor is not None:
            self.transport.set_protocol(self._successor)
            self._successor.data_received(data)
            return
        super().data_received(data)
        self.service.loop.call_soon(self._step_back)

    def _step_back(self) -> None:
        if self._successor is not None:
            self.transport.set_protocol(self._successor)

    def connection_lost(self, exc: Exception | None) -> None:
        """Have the socket end, or this connection."""
        if self._successor is not None:
            self._successor.connection_lost(exc)
        else:
            super().connection_lost(exc)
