"""`Peer`: one WebSocket, as the platform holds it, through which a test sends and misbehaves; and what went over it."""

import asyncio
import json
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from websockets.asyncio.connection import Connection
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

Data = str | bytes

OPTIONS: dict[str, Any] = {"ping_interval": None, "close_timeout": None, "max_queue": None}
"""How the platform holds a connection of the library: no pings, no limit for a close, and reading never pauses."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a recorded session; the data of "close" are code and reason, with a space between."""

    who: Literal["platform", "bot"]
    kind: Literal["text", "binary", "close"]
    data: str | bytes


@dataclass
class Session:
    """The messages of one WebSocket, in order."""

    lines: list[Line] = field(default_factory=list)

    def save(self, path: str | Path) -> None:
        """Write the messages to a file, each as one line of JSON; binary data in hexadecimal digits."""
        with Path(path).open("w", encoding="utf-8") as file:
            for line in self.lines:
                data = line.data.hex() if isinstance(line.data, bytes) else line.data
                file.write(json.dumps({"who": line.who, "kind": line.kind, "data": data}) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "Session":
        """Read a file that `save` has written."""
        found = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines() if line]
        for each in found:
            if each["kind"] == "binary":
                each["data"] = bytes.fromhex(each["data"])
        return cls([Line(**each) for each in found])


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

    def __init__(self, connection: Connection, stream: Any = None) -> None:
        self._connection = connection
        self._stream = stream  # which would close the connection when it is collected
        self.request, self.response, self.session = connection.request, connection.response, Session()
        self._inbox: asyncio.Queue[Data | None] = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._read(), name="fake platform: peer")

    # What a test does

    async def send(self, data: Data) -> None:
        """Send a message, text or binary, lost if the connection ends meanwhile; `Ended` if it has ended before."""
        if not self.is_open:
            raise Ended(*self.close_frame)
        self._note("platform", data)
        with suppress(ConnectionClosed):
            await self._connection.send(data)

    async def send_json(self, value: Any) -> None:
        """Send a value as JSON text."""
        await self.send(json.dumps(value))

    async def receive(self) -> Data:
        """Wait for the next message of the bot; `Ended` if the connection ends before one comes."""
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
            await self._connection.close(code, reason)
        await self.ended()

    def drop(self) -> None:
        """Reset the connection without a close frame."""
        self._connection.transport.abort()

    def half_open(self) -> None:
        """Read and answer nothing from now on, not even pings; the connection stays."""
        if not self._connection.transport.is_closing():
            self._connection.transport.pause_reading()

    def linger(self, code: int = 1000) -> None:
        """Send a close frame, then neither read nor close the connection."""
        self.garbage(self._frame(Opcode.CLOSE, struct.pack("!H", code)))
        self.half_open()

    def garbage(self, data: bytes) -> None:
        """Write bytes to the socket as they are."""
        self._connection.transport.write(data)

    def bad_text(self) -> None:
        """Send a text frame that is not UTF-8."""
        self.garbage(self._frame(Opcode.TEXT, b"\xff\xfe"))

    def unmasked(self, data: bytes = b"unmasked") -> None:
        """Send a text frame without a mask, which a client must not do."""
        self.garbage(bytes([0x81, len(data)]) + data)

    async def ended(self) -> Ended:
        """Wait for the end of the connection, and return how it ended."""
        await asyncio.wait({self._task})
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
        return not self._task.done()

    @property
    def close_frame(self) -> tuple[int, str]:
        """Code and reason of the bot's close frame; 1006 if none came."""
        received = self._connection.protocol.close_rcvd
        return (received.code, received.reason) if received is not None else (1006, "")

    # Beneath

    async def finish(self) -> None:
        """Drop the connection, and end its task."""
        self.drop()
        self._task.cancel()
        await self.ended()

    def _frame(self, opcode: Opcode, payload: bytes) -> bytes:
        return Frame(opcode, payload).serialize(mask=isinstance(self._connection.protocol, ClientProtocol))

    def _note(self, who: Literal["platform", "bot"], data: Data) -> None:
        self.session.lines.append(Line(who, "text" if isinstance(data, str) else "binary", data))

    async def _read(self) -> None:
        try:
            with suppress(ConnectionClosed):
                async for data in self._connection:
                    self._note("bot", data)
                    self._inbox.put_nowait(data)
            await self._connection.wait_closed()
        finally:
            if self._connection.protocol.close_rcvd is not None:
                code, reason = self.close_frame
                self.session.lines.append(Line("bot", "close", f"{code} {reason}".rstrip()))
            self._inbox.put_nowait(None)
