"""uvicorn's WebSocket protocol, with the common case made short.

uvicorn stops reading the socket after each message and starts again when it is fetched, two system calls a
message; here messages queue up to a bound first. A plain message passes neither uvicorn's parser nor, when no
middleware stands between, a message of ASGI. Whatever is not a plain message takes uvicorn's own way.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from slipstream.bots.nonebot.frames import FrameCutter, write_frame
from slipstream.bots.nonebot.mailbox import Mailbox

_ABNORMAL, _INVALID = 1006, 1007


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """The protocol class that `Driver.run` gives to uvicorn: `uvicorn.run(..., ws=WebSocketProtocol)`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue: Any = Mailbox()
        self._most_waiting = max(self.config.ws_max_queue, 1)
        self._cutter: FrameCutter | None = None
        self._is_plain = not self.config.ws_per_message_deflate

    def data_received(self, data: bytes) -> None:
        """Take in bytes: the head of the request first, then frames."""
        cutter = self._cutter
        if cutter is not None:
            cutter.feed(data)
            return
        super().data_received(data)
        if self._is_plain and self.handshake_initiated and not self.close_sent:
            self._cutter = FrameCutter(
                masked=True, max_size=self.config.ws_max_size, plain=self._take_message, other=self._take_frame
            )

    def _take_message(self, is_text: bool, payload: bytes) -> None:
        if self.close_sent:
            return
        if is_text:
            try:
                self.queue.put_nowait(payload.decode())
            except UnicodeDecodeError:
                self.conn.fail(_INVALID, "text that is not UTF-8")
                self.handle_parser_exception()
                return
        else:
            self.queue.put_nowait(payload)
        if len(self.queue) >= self._most_waiting and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def _take_frame(self, frame: bytes) -> bool:
        """Let uvicorn take a frame; return whether there is a sense in more of them."""
        if self.conn.close_rcvd is not None or self.conn.state is State.CLOSED:
            return False
        super().data_received(frame)
        return self.conn.parser_exc is None and self.conn.close_rcvd is None

    def send_receive_event_to_app(self) -> None:
        """Hand over a message that came by uvicorn's parser."""
        whole, self.frames = b"".join(self.frames), []
        self._take_message(self.curr_msg_data_type == "text", whole)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end; without a close frame it is 1006."""
        if self.handshake_complete and self.conn.close_rcvd is None:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": _ABNORMAL, "reason": ""})
        super().connection_lost(exc)

    async def fetch(self) -> Any:
        """Return the next message, or the ASGI event that is next."""
        item = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        return item

    async def receive(self) -> Any:
        """Return what is next, as ASGI has it."""
        item = await self.fetch()
        if isinstance(item, str):
            return {"type": "websocket.receive", "text": item}
        if isinstance(item, bytes):
            return {"type": "websocket.receive", "bytes": item}
        return item

    async def put(self, is_text: bool, payload: bytes) -> bool:
        """Send a message.

        Returns:
            Whether the connection was there to send it.
        """
        if not self.writable.is_set():
            await self.writable.wait()
        if self.disconnected or self.close_sent or self.conn.state is not State.OPEN:
            return False
        if self._is_plain:
            self.transport.write(write_frame(is_text, payload))
        else:
            (self.conn.send_text if is_text else self.conn.send_binary)(payload)
            self.transport.write(b"".join(self.conn.data_to_send()))
        return True
