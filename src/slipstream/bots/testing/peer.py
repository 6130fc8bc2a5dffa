"""One WebSocket as the platform holds it, whoever dialled: what a test sends through it, and does to it."""

import asyncio
import json
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Protocol

from slipstream.bots.testing.session import Line, Session

Data = str | bytes

READ = 65536
"""Bytes to ask a socket for at once."""


class Refused(Exception):
    """The bot refused our handshake.

    Args:
        status: HTTP status.
        headers: Headers of the answer.
        body: Body of the answer.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"the handshake was answered with {status}: {body[:200]!r}")
        self.status, self.headers, self.body = status, headers, body


class Ended(Exception):
    """The bot, or the network, ended the connection.

    Args:
        code: Close code that came; 1006 if none did.
        reason: Reason that came with it.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the connection ended with {code} {reason}".rstrip())
        self.code, self.reason = code, reason


class Peer:
    """One WebSocket between platform and bot, as the platform holds it.

    Attributes:
        request: The handshake: `path` and `headers`.
        session: What went over it so far.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: Protocol, request: Request
    ) -> None:
        self._reader, self._writer, self._protocol = reader, writer, protocol
        self.request, self.session = request, Session()
        self._inbox: asyncio.Queue[Data | None] = asyncio.Queue()
        self._parts: list[Frame] = []
        self._is_deaf = False
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.response: Response | None = None

    # What a test does

    async def send(self, data: Data) -> None:
        """Send a message, text or binary."""
        if isinstance(data, str):
            self._protocol.send_text(data.encode())
        else:
            self._protocol.send_binary(data)
        self._note("platform", data)
        await self._flush()

    async def send_json(self, value: Any) -> None:
        """Send a value as JSON text."""
        await self.send(json.dumps(value))

    async def receive(self) -> Data:
        """Wait for the next message of the bot.

        Raises:
            Ended: The connection ended before one came.
        """
        data = await self._inbox.get()
        if data is None:
            self._inbox.put_nowait(None)
            raise Ended(*self.close_frame)
        return data

    async def receive_json(self) -> Any:
        """Wait for the next message of the bot, read as JSON."""
        return json.loads(await self.receive())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame with any code, also one that nobody may send, and wait for the end."""
        payload = struct.pack("!H", code) + reason.encode()
        self.session.lines.append(Line("platform", "close", f"{code} {reason}".rstrip()))
        if code in (1005, 1006, 1015) or not 1000 <= code < 5000:
            self.garbage(self._frame(Opcode.CLOSE, payload))
        else:
            self._protocol.send_close(code, reason)
            await self._flush()
        await self.ended()

    def drop(self) -> None:
        """Cut the connection without a word: a reset."""
        self._writer.transport.abort()

    def half_open(self) -> None:
        """Read and answer nothing any more, pings neither; the connection stays."""
        self._is_deaf = True
        if not self._writer.transport.is_closing():
            self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # every socket's transport has it

    def linger(self, code: int = 1000) -> None:
        """Send a close frame, and do not hang up: neither read nor close the connection."""
        self.garbage(self._frame(Opcode.CLOSE, struct.pack("!H", code)))
        self.half_open()

    def garbage(self, data: bytes) -> None:
        """Write bytes to the socket as they are."""
        self._writer.write(data)

    def bad_text(self) -> None:
        """Send a text frame that is no UTF-8."""
        self.garbage(self._frame(Opcode.TEXT, b"\xff\xfe"))

    def unmasked(self, data: bytes = b"unmasked") -> None:
        """Send a text frame without a mask, which a client must not."""
        self.garbage(bytes([0x81, len(data)]) + data)

    async def ended(self) -> Ended:
        """Wait for the end of the connection; tell how it ended."""
        await self._ended.wait()
        return Ended(*self.close_frame)

    async def replay(self, session: Session) -> None:
        """Send again what the platform sent in a recorded session.

        Before each message, wait until the bot has sent as many messages as it had by then.
        """
        for line in session.lines:
            if line.who == "bot" and line.kind != "close":
                await self.receive()
            elif line.who == "bot":
                await self.ended()
            elif line.kind == "close":
                code, _, reason = str(line.data).partition(" ")
                await self.close(int(code), reason)
            else:
                await self.send(line.data)

    @property
    def is_open(self) -> bool:
        """Whether the connection has not ended."""
        return not self._ended.is_set()

    @property
    def close_frame(self) -> tuple[int, str]:
        """Code and reason that the bot closed with; 1006 without a close frame."""
        received: Close | None = self._protocol.close_rcvd
        return (received.code, received.reason) if received is not None else (1006, "")

    # Beneath

    def start(self) -> None:
        """Read from now on."""
        self._task = asyncio.get_running_loop().create_task(self._read(), name="fake platform: peer")

    async def finish(self) -> None:
        """End the connection, and forget it."""
        self.drop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _frame(self, opcode: Opcode, payload: bytes) -> bytes:
        is_client = isinstance(self._protocol, ClientProtocol)
        return Frame(opcode, payload).serialize(mask=is_client)

    def _note(self, who: Literal["platform", "bot"], data: Data) -> None:
        self.session.lines.append(Line(who, "text" if isinstance(data, str) else "binary", data))

    async def _read(self) -> None:
        try:
            while True:
                self.take_events(self._protocol.events_received())
                await self._flush()
                data = await self._reader.read(READ)
                if self._is_deaf:
                    await asyncio.Event().wait() if data else None
                if not data:
                    break
                self._protocol.receive_data(data)
            self._protocol.receive_eof()
            self.take_events(self._protocol.events_received())
        except (OSError, EOFError):
            pass
        finally:
            if self._protocol.close_rcvd is not None:
                code, reason = self.close_frame
                self.session.lines.append(Line("bot", "close", f"{code} {reason}".rstrip()))
            self._ended.set()
            self._inbox.put_nowait(None)
            self._writer.transport.abort()

    def take_events(self, events: list[Any]) -> None:
        """Take note of frames."""
        for event in events:
            if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            self._parts.append(event)
            if event.fin:
                whole = b"".join(part.data for part in self._parts)
                data: Data = whole.decode() if self._parts[0].opcode is Opcode.TEXT else whole
                self._parts = []
                self._note("bot", data)
                self._inbox.put_nowait(data)

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
            elif not self._writer.transport.is_closing():
                with suppress(OSError):
                    self._writer.write_eof()
        with suppress(OSError):
            await self._writer.drain()
