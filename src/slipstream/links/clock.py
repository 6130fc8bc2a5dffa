"""The clock that links wait by; a test moves its own."""

import asyncio
import time
from typing import Protocol

from slipstream.links.state import Moment


class Clock(Protocol):
    """What tells the time and waits."""

    def now(self) -> Moment:
        """Tell the time."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Moment:
        """Tell the time."""
        return Moment(time.monotonic(), time.time())

    async def sleep(self, seconds: float) -> None:
        """Wait, leaving the event loop to others."""
        await asyncio.sleep(seconds)
