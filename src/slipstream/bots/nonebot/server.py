"""NoneBot's handlers as endpoints of our application: what they are given, and what becomes of their answers."""

import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

from nonebot.drivers import HTTPVersion, Request as BotRequest, Response as BotResponse, WebSocket as BotWebSocket
from nonebot.exception import WebSocketClosed
from starlette.datastructures import UploadFile
from starlette.types import Receive, Scope, Send

from slipstream.bots.nonebot.typed_messages import TypedMessages
from slipstream.bots.nonebot.uvicorn_protocol import WebSocketProtocol
from slipstream.requests import HTTPConnection, Request
from slipstream.responses import Response
from slipstream.websockets import WebSocket, WebSocketDisconnect

_DOCUMENTABLE = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
_VERSIONS = {version.value: version for version in HTTPVersion} | {"2.0": HTTPVersion.H2}
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_UNREAD: Any = object()

NORMAL, NO_STATUS, ABNORMAL, FAILED = 1000, 1005, 1006, 1011


def is_documentable(method: str) -> bool:
    """Whether OpenAPI has a place for a method."""
    return method.upper() in _DOCUMENTABLE


class IncomingRequest(BotRequest):
    """A request whose body is read as JSON when a handler first asks, since most parse `content` themselves."""

    _json: Any

    @property
    def json(self) -> Any:
        """The body read as JSON, whatever its type says, or `None`."""
        if self._json is _UNREAD:
            self._json = None
            if self.content:
                try:
                    self._json = json.loads(self.content)
                except (ValueError, RecursionError):
                    pass
        return self._json

    @json.setter
    def json(self, value: Any) -> None:
        self._json = value


def http_endpoint(
    handle: Callable[[BotRequest], Awaitable[BotResponse]],
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that calls a handler of NoneBot's."""

    async def serve(request: Request) -> Response:
        return write_response(await handle(await read_request(request)))

    return serve


async def read_request(request: Request) -> IncomingRequest:
    """Read a whole request; a form that cannot be read leaves `data` at `None`."""
    content = await request.body()
    data: dict[str, Any] | None = {}
    files: list[Any] = []
    if content and request.headers.get("content-type", "").lower().startswith(_FORMS):
        try:
            async with request.form() as form:
                data = {}
                for name, value in form.multi_items():
                    if isinstance(value, UploadFile):
                        # a file of its own, which a handler may pass on and nobody must close
                        held = io.BytesIO(await value.read())
                        files.append((name, (value.filename, held, value.content_type)))
                    else:
                        data[name] = value
        except Exception:  # whatever is wrong with a form, the handler has `content`
            data, files = None, []
    return IncomingRequest(
        request.method,
        str(request.url),
        headers=request.headers.items(),
        cookies=request.cookies,
        content=content,
        data=data,
        json=_UNREAD,
        files=files,
        version=_VERSIONS.get(request.scope.get("http_version", "1.1"), HTTPVersion.H11),
    )


def write_response(answer: BotResponse) -> Response:
    """Turn a handler's answer into ours; a header that comes twice is sent twice.

    Raises:
        ValueError: A header holds a line break.
    """
    response = Response(answer.content, answer.status_code)
    if answer.headers:
        own = response.raw_headers
        given = [(_header(name).lower(), _header(value)) for name, value in answer.headers.items()]
        names = {name for name, _ in given}
        response.raw_headers = [pair for pair in own if pair[0] not in names] + given
    return response


def _header(text: str) -> bytes:
    if "\n" in text or "\r" in text:
        raise ValueError(f"a response header must not hold a line break: {text!r}")
    return str(text).encode("latin-1")


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
            version=_VERSIONS.get(scope.get("http_version", "1.1"), HTTPVersion.H11),
        )
        link = ServerWebSocket(request=request, receive=receive, send=send)
        try:
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


def _protocol_behind(receive: Receive, send: Send) -> WebSocketProtocol | None:
    """Return the server's protocol if no middleware stands before it; messages then need not be dressed as ASGI's.

    The application's guard, which watches whether anything was sent, has what it wraps in `send`.
    """
    owner = getattr(receive, "__self__", None)
    sender = getattr(getattr(send, "send", send), "__self__", None)
    return owner if isinstance(owner, WebSocketProtocol) and sender is owner else None


class ServerWebSocket(TypedMessages, BotWebSocket):
    """A peer that dialled us. Any task may use it.

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
        self._protocol = _protocol_behind(receive, send)
        self._fetch: Callable[[], Awaitable[Any]] = receive if self._protocol is None else self._protocol.fetch

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
            raise self._ended(message)
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

    def _ended(self, message: Any) -> WebSocketClosed:
        self._end = (message.get("code") or NO_STATUS, message.get("reason") or "")
        if self._protocol is not None:
            self._protocol.queue.put_back(message)  # for others who wait
        return WebSocketClosed(*self._end)

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            WebSocketClosed: The connection has ended; says with which code and reason.
        """
        if self._end is not None:
            raise WebSocketClosed(*self._end)
        message = await self._fetch()
        if isinstance(message, str | bytes):
            return message
        if message["type"] == "websocket.disconnect":
            raise self._ended(message)
        text: str | None = message.get("text")
        content: str | bytes = message["bytes"] if text is None else text
        return content

    async def send_text(self, data: str) -> None:
        """Send a text message.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        protocol = self._protocol
        if protocol is None or not self.accepted or self.closed:
            await self._tell({"type": "websocket.send", "text": data})
        elif not await protocol.put(True, data.encode()):
            raise WebSocketClosed(*(self._end or (ABNORMAL, "")))

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        protocol = self._protocol
        if protocol is None or not self.accepted or self.closed:
            await self._tell({"type": "websocket.send", "bytes": data})
        elif not await protocol.put(False, data):
            raise WebSocketClosed(*(self._end or (ABNORMAL, "")))

    async def _tell(self, message: dict[str, Any]) -> None:
        if self.closed:
            raise WebSocketClosed(*(self._end or (ABNORMAL, "")))
        try:
            await self._asgi_send(message)
        except WebSocketDisconnect as lost:
            self._end = self._end or (lost.code, lost.reason or "")
            raise WebSocketClosed(*self._end) from lost
        except OSError as lost:
            self._end = self._end or (ABNORMAL, "")
            raise WebSocketClosed(*self._end) from lost
