"""The clock that links wait by; a test moves its own."""

import asyncio
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant by two clocks: monotonic seconds, and seconds since 1970."""

    monotonic: float
    wall: float


class Clock:
    """The machine's clocks."""

    def now(self) -> Moment:
        """Return the time."""
        return Moment(time.monotonic(), time.time())

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
