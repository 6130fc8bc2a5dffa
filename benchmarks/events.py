"""What does a handler of a link cost: with no dependency, one, one that stays open? `python -m benchmarks.events`."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

from slipstream import Depends
from slipstream.links.handlers import Handler

ROUNDS, EVENTS = 60, 2000


async def settings() -> int:
    return 1


async def session() -> AsyncIterator[int]:
    yield 1


async def plain(event: int) -> None: ...
async def one(event: int, settings: Annotated[int, Depends(settings)]) -> None: ...
async def opened(event: int, session: Annotated[int, Depends(session)]) -> None: ...


async def main() -> None:
    """Print the best round of each."""
    nobody = cast(Any, None)
    for function in (plain, one, opened):
        handler = Handler(function, "feed", lambda: None)
        best = float("inf")
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for number in range(EVENTS):
                await handler.run(nobody, number)
            best = min(best, time.perf_counter() - start)
        print(f"{function.__name__:8} {best / EVENTS * 1e6:.2f} us an event")


if __name__ == "__main__":
    asyncio.run(main())
