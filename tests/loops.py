"""Event loops of each kind, and a scenario on one of them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

PATIENCE_S = 40

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop, uvloop.new_event_loop]


def run(scenario: Coroutine[Any, Any, None], loop: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
    """Run a scenario, which must not take longer than that; on a loop of another kind, if wanted."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await scenario

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(bounded())
