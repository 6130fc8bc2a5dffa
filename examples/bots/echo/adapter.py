"""The echo platform's protocol, small as it is.

Events are JSON: {"type": "message", "user": ..., "text": ...}. A bot answers with API calls over the same WebSocket,
{"api": ..., "echo": number, "data": {...}}, which the platform answers with {"echo": number, "result": ...}. By HTTP
there is no way back, so a bot that is polled or posted to calls the API at `api_root`.
"""

import asyncio
import itertools
import json
import logging
import urllib.request
from typing import Any

from slipstream.bots.adapters import Bot, bearer_token, same_token
from slipstream.bots.drivers import Driver, HTTPConnection, HTTPResponse
from slipstream.bots.drivers.fastapi import WebSocket

logger = logging.getLogger("echo")


class EchoBot(Bot):
    """One account on the echo platform; it says what it is told."""

    def __init__(self, self_id: str, request: HTTPConnection) -> None:
        super().__init__(self_id, request)
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Any]] = {}

    @property
    def type(self) -> str:
        return "echo"

    @classmethod
    async def check_permission(cls, driver: Driver, request: HTTPConnection) -> tuple[str | None, HTTPResponse | None]:
        if not same_token(bearer_token(request), driver.config.access_token):
            return None, HTTPResponse(401, b"wrong token", {"www-authenticate": "Bearer"})
        return request.headers.get("x-self-id"), None

    def take_reply(self, message: bytes) -> bool:
        """Replies go past the queue, so that a handler can wait for one while events keep their order."""
        try:
            reply = json.loads(message)
            future = self._replies.get(reply["echo"])
        except (ValueError, KeyError, TypeError):
            return False
        if future is not None and not future.done():
            future.set_result(reply.get("result"))
        return True

    async def handle_message(self, message: bytes) -> None:
        event = json.loads(message)
        if event.get("type") == "message":
            await self.send(event, f"you said: {event['text']}")

    async def send(self, event: Any, message: Any, **kwargs: Any) -> Any:
        return await self.send_message(user=event["user"], text=message, **kwargs)

    async def _call_api(self, api: str, **data: Any) -> Any:
        if not isinstance(self.request, WebSocket):
            return await asyncio.to_thread(self._post, api, data)
        number = next(self._numbers)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        try:
            await self.request.send(json.dumps({"api": api, "echo": number, "data": data}))
            async with asyncio.timeout(self.config.api_timeout):
                return await reply
        finally:
            del self._replies[number]

    def _post(self, api: str, data: dict[str, Any]) -> Any:
        request = urllib.request.Request(f"{self.config.api_root[self.self_id]}/{api}", json.dumps(data).encode())
        with urllib.request.urlopen(request, timeout=self.config.api_timeout) as answer:
            return json.loads(answer.read())["result"]
