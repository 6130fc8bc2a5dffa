"""NoneBot's WebSocket handlers as ASGI apps, and what they are given: a peer that dialled us."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from nonebot.drivers import Request as BotRequest, WebSocket as BotWebSocket
from nonebot.exception import WebSocketClosed
from starlette.types import Receive, Scope, Send

from slipstream._sockets.behind import DirectProtocol, protocol_behind
from slipstream.bots.nonebot.http_server import version_of
from slipstream.bots.nonebot.messages import DirectMessages, TypedMessages
from slipstream.requests import HTTPConnection
from slipstream.websockets import WebSocket, WebSocketDisconnect

NORMAL, NO_STATUS, ABNORMAL, FAILED = 1000, 1005, 1006, 1011


class WebSocketEndpoint:
    """An ASGI app that calls a handler of NoneBot's for each WebSocket, and closes what the handler leaves open.

    Args:
        handle: The handler; it runs before the handshake is answered.
    """

    def __init__(self, handle: Callable[[BotWebSocket], Awaitable[Any]]) -> None:
        self.handle = handle

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
        link = open_websocket(request, receive, send)
        try:
            if isinstance(link, DirectServerWebSocket):
                # A task of its own: a message wakes the handler, and not the calls between the server and us as well.
                await asyncio.ensure_future(self.handle(link))
            else:  # perhaps not even asyncio
                await self.handle(link)
        except WebSocketClosed:
            if not link.closed:  # the end of another connection, which the handler left to us
                await link.close(FAILED)
                raise
        except Exception:
            if link.accepted:
                await link.close(FAILED)
            raise
        else:
            await link.close()

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection as an endpoint, behind the dependencies of the application."""
        await self(websocket.scope, websocket.receive, websocket.send)


def open_websocket(request: BotRequest, receive: Receive, send: Send) -> "ServerWebSocket":
    """Return the peer behind ASGI's two functions.

    If no middleware stands between us and the server's protocol, messages need not be dressed as ASGI's.
    """
    protocol = protocol_behind(receive, send)
    if protocol is not None:
        return DirectServerWebSocket(request=request, receive=receive, send=send, protocol=protocol)
    return ServerWebSocket(request=request, receive=receive, send=send)


class ServerWebSocket(TypedMessages, BotWebSocket):
    """A peer that dialled us, through ASGI.

    Args:
        request: The opening request.
        receive: ASGI's.
        send: ASGI's.
    """

    def __init__(self, *, request: BotRequest, receive: Receive, send: Send) -> None:
        super().__init__(request=request)
        self.accepted = False
        self._asgi_receive, self._asgi_send = receive, send
        self._end: tuple[int, str] | None = None
        self._is_closing = False

    @property
    def closed(self) -> bool:
        """Whether either side has closed."""
        return self._is_closing or self._end is not None

    async def accept(self) -> None:
        """Answer the handshake with yes.

        Raises:
            WebSocketClosed: The peer has left.
        """
        message = await self._asgi_receive()
        if message["type"] == "websocket.disconnect":
            raise self._end_of(message)
        await self._tell({"type": "websocket.accept"})
        self.accepted = True

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close; before `accept` this is a 403. Closing again does nothing."""
        if self.closed:
            return
        self._is_closing = True
        try:
            await self._asgi_send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, WebSocketDisconnect, RuntimeError):
            self._end = self._end or (ABNORMAL, "")  # the peer was faster

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            WebSocketClosed: The connection has ended; says with which code and reason.
        """
        if self._end is not None:
            raise WebSocketClosed(*self._end)
        message = await self._asgi_receive()
        if message["type"] != "websocket.receive":
            raise self._end_of(message)
        text: str | None = message.get("text")
        content: str | bytes = message["bytes"] if text is None else text
        return content

    async def send(self, data: str | bytes) -> None:
        """Send a message.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        await self._tell({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})

    def _end_of(self, message: Any) -> Exception:
        if message["type"] != "websocket.disconnect":
            return RuntimeError("receive() before accept(): accept the connection, or close it")
        self._end = (message.get("code") or NO_STATUS, message.get("reason") or "")
        return WebSocketClosed(*self._end)

    def _lost(self) -> WebSocketClosed:
        return WebSocketClosed(*(self._end or (ABNORMAL, "")))

    async def _tell(self, message: dict[str, Any]) -> None:
        if self.closed:
            raise self._lost()
        try:
            await self._asgi_send(message)
        except WebSocketDisconnect as lost:
            self._end = self._end or (lost.code, lost.reason or "")
            raise WebSocketClosed(*self._end) from lost
        except OSError as lost:
            self._end = self._end or (ABNORMAL, "")
            raise WebSocketClosed(*self._end) from lost


class DirectServerWebSocket(DirectMessages, ServerWebSocket):
    """A peer that dialled us, and whose messages skip ASGI.

    Args:
        protocol: The server's.
        kwargs: See `ServerWebSocket`.
    """

    def __init__(self, *, protocol: DirectProtocol, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._wire, self._protocol = protocol.wire, protocol

    def _ended(self, end: Any) -> Exception:
        return self._end_of(end)

    async def _send_later(self, data: str | bytes) -> None:
        if not self.accepted or self.closed:
            await self._tell({"type": "websocket.send"})
        elif not await self._protocol.put(data):
            raise self._lost()
