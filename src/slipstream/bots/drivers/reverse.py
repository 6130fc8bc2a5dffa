"""They call us: what happens to a POST or a WebSocket of a peer, from the question who it is to its end."""

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from anyio import CancelScope

from slipstream.bots.adapters.bot import Bot
from slipstream.bots.connections import HTTPConnection, HTTPRequest, HTTPResponse
from slipstream.bots.delivery import QueueFull
from slipstream.bots.drivers.base import Driver
from slipstream.bots.drivers.socket import WebSocket, parts_of
from slipstream.bots.exception import BotExists, WebSocketClosed
from slipstream.bots.hub import Presence
from slipstream.exceptions import HTTPException
from slipstream.links.inbound import REPLACED, raw_headers, refuse, take_in
from slipstream.links.intake import Intake, TooLong
from slipstream.links.redact import printable
from slipstream.requests import Request
from slipstream.responses import Response
from slipstream.websockets import WebSocket as ServerSocket

logger = logging.getLogger("slipstream.bots")

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer"})


class Reverse:
    """Serves the peers that call us."""

    def __init__(self, driver: Driver) -> None:
        self._driver, self._hub = driver, driver.hub
        self._open: dict[WebSocket, None] = {}
        self._held: dict[str, tuple[WebSocket, Presence]] = {}

    # HTTP

    async def receive_event(self, adapter: str, request: Request) -> Response:
        """Answer one POST; what it brought is handled afterwards."""
        body = await request.body()
        asked = HTTPRequest(*parts_of(request), request.method, body)
        kind, self_id, answer = await self._admit(adapter, asked, 401)
        bot = kind(self_id, asked)
        try:
            is_taken = await self._hub.channel(adapter, self_id).deliver(bot, body)
        except QueueFull:
            is_taken = False
        if not is_taken:
            raise HTTPException(503, headers={"Retry-After": "1"})
        if answer is None:
            return Response()
        status = answer.status or 200
        body = b"" if status in (204, 304) else answer.body or b""
        return Response(body, status, headers=sendable(answer.headers))

    # WebSocket

    async def hold_connection(self, adapter: str, websocket: ServerSocket) -> None:
        """Hold one connection."""
        socket = WebSocket.incoming(websocket)
        socket.write_timeout = self._hub.options.write_timeout
        try:
            kind, self_id, answer = await self._admit(adapter, socket, 403)
            bot = kind(self_id, socket)
            presence = self._enter(adapter, bot, socket)
        except HTTPException as refusal:
            await refuse(websocket, refusal)
            return
        # A scope and no task: a scope that cancels the endpoint, as a test client has, gets its own exception back.
        reading = CancelScope()

        def closed() -> None:
            self._hub.leave(presence)
            reading.cancel()

        socket.read_by_driver(closed, partial(self._hub.take_back, presence))
        self._open[socket] = None
        self._held[self_id] = socket, presence
        end, is_ours = WebSocketClosed(1006, "the connection was lost"), False
        try:
            headers = sendable(answer.headers) if answer is not None else {}
            await websocket.accept(headers=raw_headers(headers))
            self._hub.announce(presence)
            with reading:
                end, is_ours = await self._read(websocket, presence)
            if is_ours:
                await socket.close(end.code or 1011, end.reason)
        finally:
            self._open.pop(socket, None)
            socket.ended(end)
            self._hub.leave(presence)
            if self._held.get(self_id, (None,))[0] is socket:
                del self._held[self_id]

    def _enter(self, adapter: str, bot: Bot, socket: WebSocket) -> Presence:
        hub = self._hub
        older = self._held.get(bot.self_id)
        if older is not None and hub.options.duplicate_ids == "replace" and not older[1].is_over:
            older_socket, older_presence = older
            hub.leave(older_presence)
            hub.spawn(
                older_socket.close(REPLACED, "replaced by a newer connection"),
                f"bots: {older_presence.channel.name} replaced",
            )
        try:
            return hub.connect(adapter, bot, socket)
        except BotExists as exists:
            logger.warning("adapter %s: refused a second connection of bot %s", adapter, printable(bot.self_id))
            raise HTTPException(self._refusal(None, 403), str(exists)) from exists

    async def _read(self, websocket: ServerSocket, presence: Presence) -> tuple[WebSocketClosed, bool]:
        """Receive until the end; return how it ended, and whether it is for us to close."""
        try:
            end = await take_in(websocket, Intake(presence, None, self._hub.options.ws_max_size))
        except TooLong:
            return WebSocketClosed(1009, "message too big"), True
        except QueueFull:
            return WebSocketClosed(1013, "try again later"), True
        return WebSocketClosed(*end), False

    # Both

    async def _admit(
        self, adapter: str, request: HTTPConnection, otherwise: int
    ) -> tuple[type[Bot], str, HTTPResponse | None]:
        """Ask the adapter who the peer is; raise HTTPException if it may not come in."""
        is_socket = request.type == "websocket"
        kind = self._driver.adapters.get(adapter)
        if kind is None:
            raise HTTPException(self._refusal(None, 403) if is_socket else 404, "adapter not found")
        if self._hub.is_stopping:
            raise HTTPException(503, headers={"Retry-After": "1"})
        try:
            async with asyncio.timeout(self._hub.options.hook_timeout) as limit:
                self_id, answer = await kind.check_permission(self._driver, request)
        except TimeoutError:
            if not limit.expired():
                raise
            logger.error("adapter %s: check_permission took too long", adapter)
            raise HTTPException(503, headers={"Retry-After": "1"}) from None
        given = answer.status if answer is not None else None
        if given and not 200 <= given <= 599:
            raise ValueError(f"check_permission of adapter {adapter!r} answered with status {given!r}")
        if self_id:
            return kind, str(self_id), answer
        status = self._refusal(given, otherwise) if is_socket else given or otherwise
        logger.warning("adapter %s: refused a peer with %d", adapter, status)
        detail = answer.body.decode("utf-8", "replace") if answer is not None and answer.body else None
        headers = sendable(answer.headers) if answer is not None else {}
        headers.pop("content-type", None)  # the body is {"detail": …}, whatever it was meant to be
        raise HTTPException(status, detail, headers)

    def _refusal(self, status: int | None, otherwise: int) -> int:
        return self._hub.options.ws_refusal_status or status or otherwise

    async def close_all(self, code: int, reason: str) -> None:
        """Close the connections of all peers."""
        await asyncio.gather(*(socket.close(code, reason) for socket in tuple(self._open)))

    def facts(self) -> list[dict[str, Any]]:
        """Return the connected peers, as values of JSON."""
        return [
            {
                "self_id": self_id,
                "adapter": presence.adapter,
                "waiting": presence.channel.unfinished,
                "counts": asdict(presence.channel.counts),
            }
            for self_id, (_, presence) in self._held.items()
            if not presence.is_over
        ]


def sendable(headers: Mapping[str, str]) -> dict[str, str]:
    """Choose the headers that can be sent: no length, which is ours to say, and no line break within one."""
    chosen = {}
    for name, value in headers.items():
        if name.lower() in _FRAMING:
            continue
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            logger.warning("left out a header that cannot be sent: %r", name[:40])
            continue
        chosen[name.lower()] = value
    return chosen
