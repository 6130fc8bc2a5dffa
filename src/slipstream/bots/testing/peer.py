"""`Peer`: one WebSocket, as the platform holds it, through which a test sends and misbehaves."""

import asyncio
import json
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Literal

from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Protocol

from slipstream.bots.testing.session import Line, Session

Data = str | bytes

READ = 65536
"""Most bytes to read from a socket at once."""


class Refused(Exception):
    """The bot refused the platform's handshake, with this HTTP status, headers and body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"the handshake was answered with {status}: {body[:200]!r}")
        self.status, self.headers, self.body = status, headers, body


class Ended(Exception):
    """The bot, or the network, ended the connection; `code` is 1006 if no close frame came."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the connection ended with {code} {reason}".rstrip())
        self.code, self.reason = code, reason


class Peer:
    """One WebSocket between platform and bot, as the platform holds it.

    Attributes:
        request: The request of the handshake, with `path` and `headers`.
        response: The response of the bot; None if the bot dialled.
        session: The messages so far.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        protocol: Protocol,
        request: Request,
        response: Response | None = None,
        early: Iterable[Any] = (),
    ) -> None:
        self._reader, self._writer, self._protocol = reader, writer, protocol
        self.request, self.response, self.session = request, response, Session()
        self._inbox: asyncio.Queue[Data | None] = asyncio.Queue()
        self._parts: list[Frame] = []
        self._is_deaf = False
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._take_events(early)

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
            Ended: The connection ended before a message came.
        """
        data = await self._inbox.get()
        if data is None:
            self._inbox.put_nowait(None)
            raise Ended(*self.close_frame)
        return data

    async def receive_json(self) -> Any:
        """Wait for the next message of the bot, and read it as JSON."""
        return json.loads(await self.receive())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame with any code, even a forbidden one, and wait for the end of the connection."""
        payload = struct.pack("!H", code) + reason.encode()
        self.session.lines.append(Line("platform", "close", f"{code} {reason}".rstrip()))
        if code in (1005, 1006, 1015) or not 1000 <= code < 5000:
            self.garbage(self._frame(Opcode.CLOSE, payload))
        else:
            self._protocol.send_close(code, reason)
            await self._flush()
        await self.ended()

    def drop(self) -> None:
        """Reset the connection without a close frame."""
        self._writer.transport.abort()

    def half_open(self) -> None:
        """Read and answer nothing from now on, not even pings; the connection stays."""
        self._is_deaf = True
        if not self._writer.transport.is_closing():
            self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # every socket's transport has it

    def linger(self, code: int = 1000) -> None:
        """Send a close frame, then neither read nor close the connection."""
        self.garbage(self._frame(Opcode.CLOSE, struct.pack("!H", code)))
        self.half_open()

    def garbage(self, data: bytes) -> None:
        """Write bytes to the socket as they are."""
        self._writer.write(data)

    def bad_text(self) -> None:
        """Send a text frame that is not UTF-8."""
        self.garbage(self._frame(Opcode.TEXT, b"\xff\xfe"))

    def unmasked(self, data: bytes = b"unmasked") -> None:
        """Send a text frame without a mask, which a client must not do."""
        self.garbage(bytes([0x81, len(data)]) + data)

    async def ended(self) -> Ended:
        """Wait for the end of the connection, and return how it ended."""
        await self._ended.wait()
        return Ended(*self.close_frame)

    async def replay(self, session: Session) -> None:
        """Send the platform's messages of a recorded session, each after as many messages of the bot as then."""
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
        """Code and reason of the bot's close frame; 1006 if none came."""
        received: Close | None = self._protocol.close_rcvd
        return (received.code, received.reason) if received is not None else (1006, "")

    # Beneath

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.get_running_loop().create_task(self._read(), name="fake platform: peer")

    async def finish(self) -> None:
        """Drop the connection, and end its task."""
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
                self._take_events(self._protocol.events_received())
                await self._flush()
                data = await self._reader.read(READ)
                if self._is_deaf:
                    await asyncio.Event().wait() if data else None
                if not data:
                    break
                self._protocol.receive_data(data)
            self._protocol.receive_eof()
            self._take_events(self._protocol.events_received())
        except (OSError, EOFError):
            pass
        finally:
            if self._protocol.close_rcvd is not None:
                code, reason = self.close_frame
                self.session.lines.append(Line("bot", "close", f"{code} {reason}".rstrip()))
            self._ended.set()
            self._inbox.put_nowait(None)
            self._writer.transport.abort()

    def _take_events(self, events: Iterable[Any]) -> None:
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
