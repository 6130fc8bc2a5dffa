"""A OneBot V11 platform with one account and one friend, who types at a terminal.

It dials the bot, as real implementations do ("reverse WebSocket"), tells it what the friend says, and answers
its API calls.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

ACCOUNT, FRIEND = 10001, 42


class Platform:
    """The platform.

    Args:
        url: Where the bot listens.
        token: What the bot asks for.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.headers = {"X-Self-ID": str(ACCOUNT), "X-Client-Role": "Universal"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        self.replies: asyncio.Queue[str] = asyncio.Queue()
        self._numbers = itertools.count(1)
        self._link: ClientConnection | None = None

    async def links(self) -> AsyncIterator["Platform"]:
        """Dial, again and again, and yield when the bot is there."""
        async for link in connect(self.url, additional_headers=self.headers, proxy=None):
            self._link = link
            await self._tell(post_type="meta_event", meta_event_type="lifecycle", sub_type="connect")
            listening = asyncio.create_task(self._listen(link))
            try:
                yield self
            finally:
                listening.cancel()

    async def say(self, text: str) -> str:
        """Let the friend say something; return what the bot answers."""
        await self._tell(
            post_type="message",
            message_type="private",
            sub_type="friend",
            message_id=next(self._numbers),
            user_id=FRIEND,
            message=[{"type": "text", "data": {"text": text}}],
            raw_message=text,
            font=0,
            sender={"user_id": FRIEND, "nickname": "Friend"},
        )
        return await self.replies.get()

    async def _tell(self, **event: Any) -> None:
        assert self._link is not None
        await self._link.send(json.dumps({"time": 0, "self_id": ACCOUNT, **event}))

    async def _listen(self, link: ClientConnection) -> None:
        async for frame in link:
            call = json.loads(frame)
            answer = {"status": "ok", "retcode": 0, "data": self._act(call["action"], call["params"])}
            await link.send(json.dumps({**answer, "echo": call["echo"]}))

    def _act(self, action: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """Do what an API call asks for."""
        if action == "get_login_info":
            return {"user_id": ACCOUNT, "nickname": "Slip"}
        if action in ("send_msg", "send_private_msg"):
            self.replies.put_nowait("".join(read(segment) for segment in params["message"]))
            return {"message_id": next(self._numbers)}
        return None


def read(segment: dict[str, Any]) -> str:
    """Show a part of a message as text."""
    text: str = segment["data"].get("text", f"[{segment['type']}]")
    return text
