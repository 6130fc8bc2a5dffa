"""NoneBot's WebSocket handlers as ASGI applications, and the WebSockets of peers that dialled us."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from nonebot.drivers import Request as BotRequest, WebSocket as BotWebSocket
from nonebot.exception import WebSocketClosed
from starlette.types import Receive, Scope, Send

from slipstream._sockets.behind import DirectProtocol, protocol_behind
from slipstream.bots.nonebot.http_server import version_of
from slipstream.bots.nonebot.messages import Messages
from slipstream.requests import HTTPConnection
from slipstream.websockets import WebSocket, WebSocketDisconnect

NORMAL, NO_STATUS, ABNORMAL, FAILED = 1000, 1005, 1006, 1011


@dataclass(frozen=True, slots=True)
class WebSocketEndpoint:
    """An ASGI application that calls a handler of NoneBot's for each WebSocket, before the handshake is answered.

    After the handler it closes the WebSocket if that is still open.
    """

    handle: Callable[[BotWebSocket], Awaitable[Any]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        opening = HTTPConnection(scope)
        request = BotRequest(
            "GET",
            str(opening.url),
            headers=opening.headers.items(),
            cookies=opening.cookies,
            version=version_of(scope),
        )
        protocol = protocol_behind(receive, send)
        websocket = ServerWebSocket(request=request, receive=receive, send=send, protocol=protocol)
        try:
            if protocol is None:  # the loop may be another than asyncio's
                await self.handle(websocket)
            else:  # in a task of its own, a message wakes the handler without the calls between the server and us
                await asyncio.ensure_future(self.handle(websocket))
        except WebSocketClosed:
            if not websocket.closed:  # another connection of the handler has ended
                await websocket.close(FAILED)
                raise
        except Exception:
            if websocket.accepted:
                await websocket.close(FAILED)
            raise
        else:
            await websocket.close()

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection as an endpoint, behind the dependencies of the application."""
        await self(websocket.scope, websocket.receive, websocket.send)


class ServerWebSocket(Messages):
    """The WebSocket of a peer that dialled us.

    Its messages bypass ASGI's `receive` and `send` if there is a protocol, since no middleware wraps them.
    """

    def __init__(self, *, request: BotRequest, receive: Receive, send: Send, protocol: DirectProtocol | None) -> None:
        super().__init__(request=request)
        self.accepted = False
        self._protocol, self._wire = protocol, None if protocol is None else protocol.wire
        self._asgi_receive, self._asgi_send = receive, send
        self._end: tuple[int, str] | None = None
        self._is_closing = False

    @property
    def closed(self) -> bool:
        """Whether either side has closed the connection."""
        return self._is_closing or self._end is not None

    async def accept(self) -> None:
        """Accept the handshake; WebSocketClosed says that the peer has left."""
        message = await self._asgi_receive()
        if message["type"] == "websocket.disconnect":
            raise self._ended(message)
        await self._send({"type": "websocket.accept"})
        self.accepted = True

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close, or answer the handshake with 403; closing again does nothing."""
        if self.closed:
            return
        self._is_closing = True
        try:
            await self._asgi_send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, WebSocketDisconnect, RuntimeError):
            self._end = self._end or (ABNORMAL, "")  # the peer has closed first

    async def _receive_elsewhere(self) -> str | bytes:
        if self._end is not None:
            raise WebSocketClosed(*self._end)
        message = await self._asgi_receive()
        if message["type"] != "websocket.receive":
            raise self._ended(message)
        text: str | None = message.get("text")
        content: str | bytes = message["bytes"] if text is None else text
        return content

    async def _send_elsewhere(self, data: str | bytes) -> None:
        if self._protocol is None or not self.accepted or self.closed:
            await self._send({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})
        elif not await self._protocol.put(data):
            raise self._lost()

    def _ended(self, message: Any) -> Exception:
        if message["type"] != "websocket.disconnect":
            return RuntimeError("receive() before accept(): accept the connection, or close it")
        self._end = (message.get("code") or NO_STATUS, message.get("reason") or "")
        return WebSocketClosed(*self._end)

    def _lost(self) -> WebSocketClosed:
        return WebSocketClosed(*(self._end or (ABNORMAL, "")))

    async def _send(self, message: dict[str, Any]) -> None:
        if self.closed:
            raise self._lost()
        try:
            await self._asgi_send(message)
        except (OSError, WebSocketDisconnect) as lost:
            known = (lost.code, lost.reason or "") if isinstance(lost, WebSocketDisconnect) else (ABNORMAL, "")
            self._end = self._end or known
            raise WebSocketClosed(*self._end) from lost
