"""Servers that tests put before clients: proxies that note what they are asked, a server of HTTP/2, and uvicorn."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import uvicorn
from hypercorn.asyncio import serve
from hypercorn.config import Config

Login = tuple[str, str]


class Proxy:
    """A proxy on a free port of this machine; it connects to this machine, whatever name it is asked for.

    Args:
        login: User and password that it wants to hear; None: it asks nobody.

    Attributes:
        asked: Host and port of each connection that it was asked for.
    """

    scheme = ""

    def __init__(self, login: Login | None = None) -> None:
        self.login = login
        self.asked: list[tuple[str, int]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks)

    def cut(self) -> None:
        """End every connection without a word."""
        for task in self._tasks:
            task.cancel()

    def url(self, user: str = "", password: str = "") -> str:
        login = f"{user}:{password}@" if user else ""
        return f"{self.scheme}://{login}127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        writers = [writer]
        try:
            port = await self._greet(reader, writer)
            if port is not None:
                onward, back = await asyncio.open_connection("127.0.0.1", port)
                writers.append(back)
                await self._agree(writer, back)
                await asyncio.gather(_relay(reader, back), _relay(onward, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            for each in writers:
                each.transport.abort()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int | None:
        """Hear what the client wants; give the port, or None if it may not."""
        raise NotImplementedError

    async def _agree(self, writer: asyncio.StreamWriter, onward: asyncio.StreamWriter) -> None:
        """Say that the connection stands."""


class Socks5(Proxy):
    """RFC 1928, with the login of RFC 1929."""

    scheme = "socks5h"

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int | None:
        _, count = await reader.readexactly(2)
        method = 2 if self.login else 0
        if method not in await reader.readexactly(count):
            writer.write(b"\x05\xff")
            return await writer.drain()
        writer.write(bytes([5, method]))
        if self.login is not None:
            await reader.readexactly(1)
            heard = (await _short(reader), await _short(reader))
            writer.write(b"\x01\x00" if heard == self.login else b"\x01\x01")
            if heard != self.login:
                return await writer.drain()
        _, _, _, kind = await reader.readexactly(4)
        host = await _short(reader) if kind == 3 else socket.inet_ntoa(await reader.readexactly(4))
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append((host, port))
        return port

    async def _agree(self, writer: asyncio.StreamWriter, onward: asyncio.StreamWriter) -> None:
        writer.write(b"\x05\x00\x00\x01" + bytes(6))


class HTTPProxy(Proxy):
    """CONNECT, and plain requests with a whole address."""

    scheme = "http"

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int | None:
        self._head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = self._head.split(b"\r\n")[0].decode().split()
        self._is_tunnel = method == "CONNECT"
        if self.login is not None:
            known = base64.b64encode(":".join(self.login).encode())
            if b"proxy-authorization: basic " + known.lower() not in self._head.lower():
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return await writer.drain()
        place = target if self._is_tunnel else target.split("/")[2]
        host, _, port = place.partition(":")
        self.asked.append((host, int(port)))
        return int(port)

    async def _agree(self, writer: asyncio.StreamWriter, onward: asyncio.StreamWriter) -> None:
        if self._is_tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            onward.write(self._head)


async def _short(reader: asyncio.StreamReader) -> str:
    (size,) = await reader.readexactly(1)
    return (await reader.readexactly(size)).decode()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.write_eof()


@asynccontextmanager
async def http2_server(app: Callable[..., Awaitable[None]], certificate: Path) -> AsyncIterator[int]:
    """Serve an ASGI app by TLS, by HTTP/2 to those who offer it; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        config = Config.from_mapping(
            bind=[f"fd://{listening.detach()}"],
            certfile=str(certificate),
            keyfile=str(certificate),
            errorlog=None,
            graceful_timeout=0.1,
        )
        stop = asyncio.Event()
        serving = asyncio.ensure_future(serve(app, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]  # its own types of ASGI
        try:
            yield port
        finally:
            stop.set()
            await serving


@asynccontextmanager
async def served(app: Any, **options: Any) -> AsyncIterator[int]:
    """Serve an ASGI app on a free port of this machine, and yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1, **options)
        server = uvicorn.Server(config)
        # uvicorn's `serve` would take over the signals of the test process
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listening])
        ticking = asyncio.create_task(server.main_loop())
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await ticking
            await server.shutdown(sockets=[listening])
