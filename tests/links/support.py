"""What the tests of links share."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel
from websockets.asyncio.server import Server

from slipstream.links import Backoff
from slipstream.links.state import Moment

QUICK = Backoff(first=0.001, limit=0.01, reset_after=0.0)
PATIENCE = 10
"""Seconds after which something that should happen at once is taken for lost."""


class Event(BaseModel):
    id: int
    text: str = ""


@dataclass
class Peer:
    """A WebSocket server on the loopback interface."""

    server: Server
    port: int

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/feed"


class HandMovedClock:
    """A clock that stands still until somebody waits, and then jumps to when the wait is over."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.waits: deque[float] = deque()

    def now(self) -> Moment:
        return Moment(self.seconds, 1_700_000_000 + self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


async def until(claim: Callable[[], object]) -> None:
    """Let the event loop turn until a claim holds."""
    async with asyncio.timeout(PATIENCE):
        while not claim():
            await asyncio.sleep(0.001)
