"""The clock that links wait by; a test moves its own."""

import asyncio
import time
from typing import Protocol

from slipstream.links.state import Moment


class Clock(Protocol):
    """The time, and waiting."""

    def now(self) -> Moment:
        """Return the time."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Moment:
        """Return the time."""
        return Moment(time.monotonic(), time.time())

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
