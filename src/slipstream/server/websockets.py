"""uvicorn's WebSocket protocol, in which plain messages go by a wire.

uvicorn stops reading the socket after each message and starts again when it is fetched, two system calls a message;
here messages wait in a queue up to a bound. A plain message does not pass uvicorn's parser, and becomes a message of
ASGI only for middleware. Everything else takes uvicorn's own way.
"""

from typing import Any

from websockets.protocol import State

from slipstream._foreign.uvicorn_websockets import WebSocketsSansIOProtocol
from slipstream._sockets.behind import DirectProtocol
from slipstream._sockets.wire import Wire, WiredProtocol

_ABNORMAL, _INVALID = 1006, 1007


class WebSocketProtocol(DirectProtocol, WiredProtocol, WebSocketsSansIOProtocol):
    """The protocol class to give to uvicorn: `uvicorn.run(app, ws=WebSocketProtocol)`.

    If compression was negotiated, every frame passes through uvicorn's parser.
    """

    # An object with more than 29 attributes, or with some that come late, has a dict of its own, of 1.5 KiB.
    __slots__ = (
        "close_sent", "config", "conn", "curr_msg_data_type", "disconnected", "frames", "handshake_complete",
        "handshake_initiated", "loop", "queue", "request", "response", "scope", "transport", "wire", "writable",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wire = Wire(
            self,
            self.loop,
            is_server=True,
            max_size=self.config.ws_max_size,
            high=max(self.config.ws_max_queue, 1),
            low=0,
        )
        self.queue: Any = self.wire.queue

    def data_received(self, data: bytes) -> None:
        """Take in the head of the request, and what comes up to the first frame."""
        if self.handshake_initiated and not self.close_sent and not self.conn.extensions:
            self.transport.set_protocol(self.wire)
            self.request = self.response = None  # type: ignore[assignment]  # 2 KiB, which nobody reads any more
            self.wire.data_received(data)
            return
        super().data_received(data)
        self.queue.wake()

    def refuse_text(self) -> None:
        """End the connection, since a text is not UTF-8."""
        self.conn.fail(_INVALID, "text that is not UTF-8")
        self.handle_parser_exception()

    def send_receive_event_to_app(self) -> None:
        """Queue a message that came through uvicorn's parser."""
        whole, self.frames = b"".join(self.frames), []
        self.wire.take(self.curr_msg_data_type == "text", whole)

    def connection_lost(self, exc: Exception | None) -> None:
        """Queue the end; without a close frame its code is 1006."""
        if self.handshake_complete and self.conn.close_rcvd is None:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": _ABNORMAL, "reason": ""})
        super().connection_lost(exc)

    async def receive(self) -> Any:
        """Return the next event of ASGI."""
        item = await self.queue.get()
        if self.wire.read_paused:
            self.wire.resume()
        if isinstance(item, str):
            return {"type": "websocket.receive", "text": item}
        if isinstance(item, bytes):
            return {"type": "websocket.receive", "bytes": item}
        return item

    async def send(self, message: Any) -> None:
        """Send an event of ASGI."""
        if message["type"] == "websocket.send":
            data = message.get("bytes")
            data = message.get("text") if data is None else data
            if data is not None and self.wire.send(data):
                return
        await super().send(message)
        wire = self.wire
        wire.is_open = self.handshake_complete and not self.close_sent and not self.conn.extensions
        if self.close_sent and not wire.is_leaving:
            wire.is_leaving = True
            if wire.read_paused:  # the peer's answer comes after messages that will not be fetched
                wire.resume()

    async def put(self, data: str | bytes) -> bool:
        """Send a message as soon as the transport's buffer has room; return False if the connection is gone."""
        await self.writable.wait()
        if self.disconnected or self.close_sent or self.conn.state is not State.OPEN:
            return False
        if isinstance(data, str):
            self.conn.send_text(data.encode())
        else:
            self.conn.send_binary(data)
        self.transport.write(b"".join(self.conn.data_to_send()))
        return True
