"""A connection of our protocol at a transport that is none: bytes go in by hand, what is written is kept."""

import asyncio
from collections.abc import Iterable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from slipstream.server.http import HTTPProtocol

DATE = [(b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")]


class FakeTransport:
    """As much of a transport as protocols use.

    Attributes:
        written: What the protocol has written.
        has_room: Whether the client takes what it is sent.
        is_shut: Whether the sending side is closed; `is_closed`: whether both are.
    """

    def __init__(self, peer: Any = ("127.0.0.1", 50000)) -> None:
        self.peer = peer
        self.written = b""
        self.buffered = 0
        self.is_shut = self.is_closed = self.is_aborted = self.is_paused = False
        self.protocol: Any = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": self.peer, "sockname": ("127.0.0.1", 80)}.get(name, default)

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        assert not self.is_shut
        if not self.is_closed:
            self.written += data

    def writelines(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            self.write(part)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_shut = True

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True


def configured(app: Any, protocol: Any = HTTPProtocol, **options: Any) -> uvicorn.Config:
    """Make a loaded configuration without logs."""
    given = {"ws": "none", "lifespan": "off", "log_config": None, "access_log": False, "proxy_headers": False}
    config = uvicorn.Config(app, http=protocol, **{**given, **options})
    config.load()
    return config


class Connection:
    """One connection; it has to be made within a running loop."""

    def __init__(
        self, config: uvicorn.Config, state: ServerState | None = None, peer: Any = ("127.0.0.1", 50000)
    ) -> None:
        if state is None:
            state = ServerState()
            state.default_headers = DATE.copy()
        self.state = state
        self.transport = FakeTransport(peer)
        kind: Any = config.http_protocol_class
        self.protocol: Any = kind(config=config, server_state=state, app_state={}, _loop=asyncio.get_running_loop())
        self.transport.protocol = self.protocol
        self.protocol.connection_made(self.transport)

    async def feed(self, *pieces: bytes) -> None:
        """Let pieces arrive, each in a turn of the loop of its own, unless the protocol reads no more."""
        for piece in pieces:
            if self.transport.is_closed:
                break
            for _ in range(100):
                if not self.transport.is_paused:
                    break
                await asyncio.sleep(0)
            self.transport.protocol.data_received(piece)
            await asyncio.sleep(0)
        await self.settle()

    async def settle(self) -> None:
        """Let the loop turn until nothing is written any more."""
        quiet, before = 0, b""
        while quiet < 8:
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.transport.written == before else 0
            before = self.transport.written

    def end(self) -> None:
        """Let the connection be lost."""
        self.transport.protocol.connection_lost(None)

    @property
    def fate(self) -> str:
        """What has become of it: open, shut (sending side only), or closed."""
        if self.transport.is_closed:
            return "closed"
        return "shut" if self.transport.is_shut else "open"


def statuses(written: bytes, methods: Iterable[str] = ()) -> list[int]:
    """Take responses apart; `methods` are those of the requests, as far as they are not GET."""
    found = []
    asked = iter(methods)
    while written:
        head, end, written = written.partition(b"\r\n\r\n")
        assert end, head
        status = int(head.split(b" ", 2)[1])
        found.append(status)
        if status == 100:
            continue
        method = next(asked, "GET")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if method == "HEAD" or status in (204, 304):
            continue
        if fields.get(b"transfer-encoding") == b"chunked":
            size = 1
            while size:
                line, _, written = written.partition(b"\r\n")
                size = int(line, 16)
                assert written[size : size + 2] == b"\r\n"
                written = written[size + 2 :]
        elif b"content-length" in fields:
            size = int(fields[b"content-length"])
            assert len(written) >= size
            written = written[size:]
        else:
            written = b""
    return found
