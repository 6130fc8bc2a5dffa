"""What the tests of links share."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from pydantic import BaseModel
from websockets.asyncio.server import Server

from slipstream.links import Backoff
from slipstream.links.state import Moment

QUICK = Backoff(first=0.001, limit=0.01, reset_after=0.0)
PATIENCE = 60
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


class SteppedClock:
    """A clock that stands still until it is told to go, from the end of one wait to that of the next.

    However slow the machine, who waits for the same moment wakes in it, and who waits for a later one does not.
    """

    def __init__(self) -> None:
        self.seconds = 1000.0
        self._waits: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = 0

    def now(self) -> Moment:
        return Moment(self.seconds, 1_700_000_000 + self.seconds)

    async def sleep(self, seconds: float) -> None:
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._number += 1
        heappush(self._waits, (self.seconds + seconds, self._number, end))
        await end

    async def go_until(self, claim: Callable[[], object]) -> None:
        """Go until a claim holds; after each wait, let whoever wakes take all the turns that it needs."""
        async with asyncio.timeout(PATIENCE):
            while not claim():
                for _ in range(20):
                    await asyncio.sleep(0)
                if self._waits:
                    self.seconds, _, end = heappop(self._waits)
                    if not end.done():
                        end.set_result(None)


def most_within(seconds: float, moments: Iterable[float]) -> int:
    """Count the moments in the fullest window of so many seconds."""
    known = sorted(moments)
    return max(sum(start <= each < start + seconds for each in known) for start in known)


async def until(claim: Callable[[], object]) -> None:
    """Let the event loop turn until a claim holds."""
    async with asyncio.timeout(PATIENCE):
        while not claim():
            await asyncio.sleep(0.001)
