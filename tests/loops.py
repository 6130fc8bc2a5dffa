"""Event loops of each kind, a loop whose clock is moved, and a scenario on one of them."""

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import uvloop

PATIENCE_S = 60

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop, uvloop.new_event_loop]


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]  # chosen by the platform
    """Moves the clock instead of waiting for it."""

    moved = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready; if nothing is, the time that would have been waited has passed."""
        works_beside = any(thread.name.startswith("AnyIO worker") for thread in threading.enumerate())
        if not timeout or works_beside:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self.moved += timeout
        return ready


class MovedClock(asyncio.SelectorEventLoop):
    """A loop on which sleeping takes no time, and timers end in their order: time passes when nothing else happens.

    While a worker thread of anyio's is there, time is real.
    """

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the time in seconds, with what was not waited for."""
        return super().time() + self._clock.moved


def run_moved(function: Callable[..., Any], *args: Any) -> Any:
    """Run an async function on a loop with a moved clock."""
    return anyio.run(function, *args, backend_options={"loop_factory": MovedClock})


def run(scenario: Coroutine[Any, Any, None], loop: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
    """Run a scenario, which must not take longer than that; on a loop of another kind, if wanted."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await scenario

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(bounded())
