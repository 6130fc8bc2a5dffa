"""The platform of `benchmarks.bots`: accounts that send events to a bot process, and count what it answers.

It is written on picows, with every event's bytes made beforehand, so that it costs less than any driver and can fill
the bot process.
"""

import asyncio
import collections
import contextlib
import itertools
import json
import sys
import time
import zlib
from collections.abc import AsyncIterator
from typing import Any

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_connect,
    ws_create_server,
)

_TICK_S = 0.001  # a loop does not wake up more often
_DEFLATE = {"Sec-WebSocket-Extensions": "permessage-deflate"}


class Link(WSListener):
    """One account's connection, from the platform's side.

    Args:
        platform: Whose account it is.
        number: The account's.
    """

    transport: WSTransport

    def __init__(self, platform: "Platform", number: int) -> None:
        super().__init__()
        self._platform = platform
        self.number = number
        self._event = json.dumps(
            {
                "time": 1700000000,
                "self_id": number,
                "post_type": "message",
                "message_type": "private",
                "sub_type": "friend",
                "message_id": 1,
                "user_id": 42,
                "message": [{"type": "text", "data": {"text": "ping " + "x" * 80}}],
                "raw_message": "ping " + "x" * 80,
                "font": 0,
                "sender": {"user_id": 42, "nickname": "somebody", "sex": "unknown", "age": 0},
            }
        ).encode()
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Say who this is."""
        self.transport = transport
        if self._platform.asks_for_calls:
            who = {"time": 1, "self_id": self.number, "post_type": "meta_event"}
            kind = {"meta_event_type": "lifecycle", "sub_type": "connect"}
            transport.send(WSMsgType.TEXT, json.dumps(who | kind).encode())
        self._platform.connected(self)

    def send_event(self) -> None:
        """Send one event."""
        self.transport.send(WSMsgType.TEXT, self._event)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take in what the bot makes of the event; confirm it if it is an API's call."""
        if frame.msg_type is not WSMsgType.TEXT:
            return
        if self._platform.asks_for_calls:
            call = frame.get_payload_as_bytes()
            if frame.rsv1:
                call = self._inflate.decompress(call + b"\x00\x00\xff\xff")
            answer = {"status": "ok", "retcode": 0, "data": {"message_id": 1}, "echo": json.loads(call)["echo"]}
            transport.send(WSMsgType.TEXT, json.dumps(answer).encode())
        self._platform.answered(self)


class Platform:
    """Accounts, half of which wait for the bot to dial them.

    Args:
        count: How many.
        asks_for_calls: Whether the bot answers an event by a call of OneBot's API, and not by a bare message.
        deflate: Whether compression is offered and accepted.
    """

    def __init__(self, count: int, *, asks_for_calls: bool, deflate: bool) -> None:
        self.asks_for_calls = asks_for_calls
        self._count = count
        self._extensions = _DEFLATE if deflate else {}
        self._numbers = itertools.count(10_001)
        self._links: list[Link] = []
        self._complete = asyncio.Event()
        self._free: collections.deque[Link] = collections.deque()
        self._sent = self._answered = self._due = 0
        self._quiet = asyncio.Event()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[list[str]]:
        """Wait for the bot to dial one half of the accounts; yield their URLs."""

        def take(request: WSUpgradeRequest) -> Any:
            accepted = self._extensions if "permessage-deflate" in str(request.headers) else {}
            response = WSUpgradeResponse.create_101_response(accepted)
            return WSUpgradeResponseWithListener(response, Link(self, next(self._numbers)))

        server = await ws_create_server(take, "127.0.0.1", 0, backlog=1024)
        port = server.sockets[0].getsockname()[1]
        try:
            yield [f"ws://127.0.0.1:{port}/{n}" for n in range(self._count // 2)]
        finally:
            server.close()
            for link in self._links:
                link.transport.disconnect(graceful=False)

    async def connect(self, url: str) -> None:
        """Dial the bot with the other half; return when all accounts are connected and have had an answer."""
        for _ in range(self._count - self._count // 2):
            number = next(self._numbers)
            await ws_connect(
                lambda: Link(self, number),  # noqa: B023  # called before the next one
                url,
                extra_headers={"X-Self-ID": str(number), **self._extensions},
                websocket_handshake_timeout=60,
            )
        await self._complete.wait()
        await self.drive(1e9, events=self._count)

    def connected(self, link: Link) -> None:
        """Note a new connection."""
        self._links.append(link)
        self._free.append(link)
        if len(self._links) == self._count:
            self._complete.set()

    def answered(self, link: Link) -> None:
        """Note an answer, and send an event that is late, if there is one."""
        self._answered += 1
        self._free.append(link)
        if self._sent < self._due:
            self._send()
        elif self._answered == self._sent:
            self._quiet.set()

    async def drive(
        self, rate: float, *, seconds: float = float("inf"), events: int = sys.maxsize
    ) -> tuple[int, float]:
        """Send events over all links in turn, one at a time over each.

        Args:
            rate: How many a second, at most.
            seconds: For how long.
            events: How many, at most.

        Returns:
            How many were sent and answered, and in how many seconds.
        """
        self._sent = self._answered = self._due = 0
        began = now = time.perf_counter()
        while self._due < events and now - began < seconds:
            self._due = min(int((now - began) * rate) + 1, events)
            while self._sent < self._due and self._free:
                self._send()
            await asyncio.sleep(max(began + self._due / rate - time.perf_counter(), _TICK_S))
            now = time.perf_counter()
        if now - began >= seconds:
            self._due = self._sent
        self._quiet.clear()
        if self._answered < self._sent:
            await self._quiet.wait()
        return self._sent, time.perf_counter() - began

    def _send(self) -> None:
        self._free.popleft().send_event()
        self._sent += 1
