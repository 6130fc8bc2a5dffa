"""uvicorn's WebSocket protocol, with the common case made short.

uvicorn stops reading the socket after each message and starts again when it is fetched, two system calls a
message; here messages queue up to a bound first. A plain message passes neither uvicorn's parser nor, when no
middleware stands between, a message of ASGI. Whatever is not a plain message takes uvicorn's own way.
"""

from typing import Any

from websockets.protocol import State

from slipstream._foreign.uvicorn_websockets import WebSocketsSansIOProtocol
from slipstream._sockets.behind import DirectProtocol
from slipstream._sockets.wire import Wire

_ABNORMAL, _INVALID = 1006, 1007


class WebSocketProtocol(DirectProtocol, WebSocketsSansIOProtocol):
    """The protocol class to give to uvicorn: `uvicorn.run(app, ws=WebSocketProtocol)`.

    Where compression was negotiated, every frame goes through uvicorn's parser, which knows the extension.
    """

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

    def connection_made(self, transport: Any) -> None:
        """Note the transport."""
        super().connection_made(transport)
        self.wire.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take in bytes: the head of the request, then what comes up to the first frame."""
        if self.handshake_initiated and not self.close_sent and not self.conn.extensions:
            self.transport.set_protocol(self.wire)
            self.wire.data_received(data)
            return
        super().data_received(data)
        self.queue.wake()

    def take_frame(self, frame: bytes) -> bool:
        """Let uvicorn take a frame; return whether there is a sense in more of them."""
        if self.conn.close_rcvd is not None or self.conn.state is State.CLOSED:
            return False
        super().data_received(frame)
        return self.conn.parser_exc is None and self.conn.close_rcvd is None

    def refuse_text(self) -> None:
        """End the connection: a text is not UTF-8."""
        self.conn.fail(_INVALID, "text that is not UTF-8")
        self.handle_parser_exception()

    def send_receive_event_to_app(self) -> None:
        """Hand over a message that came by uvicorn's parser."""
        whole, self.frames = b"".join(self.frames), []
        self.wire.take(self.curr_msg_data_type == "text", whole)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end; without a close frame it is 1006."""
        if self.handshake_complete and self.conn.close_rcvd is None:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": _ABNORMAL, "reason": ""})
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Note that the peer takes nothing."""
        super().pause_writing()
        self.wire.is_full = True

    def resume_writing(self) -> None:
        """Note that the peer takes again."""
        super().resume_writing()
        self.wire.is_full = False

    async def receive(self) -> Any:
        """Return what is next, as ASGI has it."""
        item = await self.queue.get()
        if self.wire.read_paused:
            self.wire.resume()
        if isinstance(item, str):
            return {"type": "websocket.receive", "text": item}
        if isinstance(item, bytes):
            return {"type": "websocket.receive", "bytes": item}
        return item

    async def send(self, message: Any) -> None:
        """Send an event of ASGI's."""
        if message["type"] == "websocket.send":
            data = message.get("bytes")
            data = message.get("text") if data is None else data
            if data is not None and self.wire.send(data):
                return
        await super().send(message)
        self._keep_wire()

    def _keep_wire(self) -> None:
        """Tell the wire what has become of the connection."""
        wire = self.wire
        wire.is_open = self.handshake_complete and not self.close_sent and not self.conn.extensions
        if self.close_sent and not wire.is_leaving:
            wire.is_leaving = True
            if wire.read_paused:  # the peer's answer is behind what nobody will fetch
                wire.read_on()

    async def put(self, data: str | bytes) -> bool:
        """Send a message when the peer has taken in what was sent before.

        Returns:
            Whether the connection was there to send it.
        """
        await self.writable.wait()
        if self.disconnected or self.close_sent or self.conn.state is not State.OPEN:
            return False
        if isinstance(data, str):
            self.conn.send_text(data.encode())
        else:
            self.conn.send_binary(data)
        self.transport.write(b"".join(self.conn.data_to_send()))
        return True
