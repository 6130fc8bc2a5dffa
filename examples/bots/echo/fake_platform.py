"""The echo platform: it ships with the example, so that nothing else is needed to see bots at work.

It is dialled and polled, and dials and posts; now and then it drops a connection, so that there is something to see.
"""

import asyncio
import itertools
import json
from contextlib import suppress
from typing import Any

from slipstream.bots.testing import Answer, Asked, Ended, FakePlatform, Peer, Refused


class EchoPlatform(FakePlatform):
    """A platform with one talkative user.

    Args:
        pace: Seconds between two messages of the user.
        drop_after: How many messages a dialled connection lasts; 0: for ever.
    """

    def __init__(self, pace: float = 1.0, drop_after: int = 0) -> None:
        super().__init__()
        self.pace, self.drop_after = pace, drop_after
        self.heard: list[tuple[str, str]] = []
        self.heard_one = asyncio.Event()
        self._numbers = itertools.count(1)
        self.always = self.respond

    def message(self, via: str) -> dict[str, Any]:
        """Make an event."""
        return {"type": "message", "user": "ada", "text": f"{via} {next(self._numbers)}"}

    def hear(self, via: str, text: str) -> None:
        """Note what a bot said."""
        self.heard = [*self.heard[-49:], (via, text)]
        self.heard_one.set()

    async def talk(self, peer: Peer, via: str) -> None:
        """Say something again and again, and answer the bot's API calls, until the connection ends."""
        answering = asyncio.create_task(self.take_calls(peer, via))
        try:
            for count in itertools.count(1):
                await peer.send_json(self.message(via))
                await asyncio.wait({answering}, timeout=self.pace)
                if answering.done():
                    return
                if self.drop_after and count >= self.drop_after:
                    peer.drop()
        finally:
            answering.cancel()

    async def take_calls(self, peer: Peer, via: str) -> None:
        """Note what the bot says, and answer its API calls."""
        with suppress(Ended):
            while True:
                call = await peer.receive_json()
                self.hear(via, call["data"]["text"])
                await peer.send_json({"echo": call["echo"], "result": "sent"})

    async def be_dialled(self) -> None:
        """Talk to each bot that dials."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self.talk(await self.connected(), "you dial"))

    def respond(self, asked: Asked) -> Answer:
        """Tell a poll something new; take an API call."""
        if asked.path == "/events":
            return Answer(200, json.dumps(self.message("you poll")).encode())
        self.hear("by HTTP", json.loads(asked.body)["text"])
        return Answer(200, b'{"result": "sent"}')

    async def dial_bot(self, url: str, headers: dict[str, str]) -> None:
        """Dial a bot, and dial it again when the connection has ended."""
        while True:
            try:
                await self.talk(await self.dial(url, headers), "I dial")
            except (Refused, OSError):
                pass
            await asyncio.sleep(self.pace)

    async def post_to_bot(self, url: str, headers: dict[str, str]) -> None:
        """POST an event again and again."""
        while True:
            with suppress(OSError):
                await self.post(url, self.message("I post"), headers)
            await asyncio.sleep(self.pace)
