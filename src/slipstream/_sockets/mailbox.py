"""Where messages wait for whoever fetches them, and how a task that waits gets one."""

import asyncio
import contextvars
from asyncio import current_task
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from slipstream._foreign.asyncio import WaitedFuture, callbacks_of


class Mailbox:
    """A queue without a bound; any number of tasks may fetch from it.

    A task that waits is given its item and runs on in the same instant, so no item is ever on its way to a task that
    may be cancelled meanwhile.

    Args:
        loop: The loop of the tasks.
    """

    __slots__ = ("_first", "_loop", "_others", "items", "outlet")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.items: deque[Any] = deque()
        """What waits, the oldest first. Who adds to it must call `wake` before it returns to the loop."""
        self.outlet: Callable[[], None] | None = None
        """Called when something has come, in place of those who wait."""
        self._first: asyncio.Future[Any] | None = None  # who waits; nearly always there is one at most
        self._others: list[asyncio.Future[Any]] = []
        self._loop = loop

    def __len__(self) -> int:
        return len(self.items)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self.items

    def put_nowait(self, item: Any) -> None:
        """Put in an item; one who waits gets it in the next turn of the loop."""
        self.items.append(item)
        self._loop.call_soon(self._serve)

    def put_back(self, item: Any) -> None:
        """Put in an item before all others: the end of a connection, which everyone is to see."""
        self.items.appendleft(item)
        self._loop.call_soon(self._serve)

    async def get(self) -> Any:
        """Take out the oldest item; wait for one if there is none."""
        return self.items.popleft() if self.items else await self.turn()

    def turn(self) -> asyncio.Future[Any]:
        """Stand in line for an item; for a task to await at once, and only if there is none."""
        turn: asyncio.Future[Any] = WaitedFuture(loop=self._loop)
        if self._first is None or (self._first.done() and not self._others):
            self._first = turn
        else:
            self._others = [each for each in self._others if not each.done()]
            self._others.append(turn)
        return turn

    def give(self, item: Any) -> bool:
        """Give an item that comes alone to the first who waits, and run its task until it waits again.

        The task may write to its connection and close it; a protocol therefore calls this as the last thing that it
        does with bytes.

        Returns:
            Whether that could be done. If not, the item is to be added to `items`.
        """
        turn = self._first
        return turn is not None and not self.items and self._give(turn, item)

    def wake(self) -> None:
        """Give what has come to those who wait.

        An item that has come alone is given at once, as `give` does it. Several items, and one that comes while a task
        runs, wait for the next turn of the loop, one task a turn: a flood must not keep other links from theirs.
        """
        if self.outlet is not None:
            self.outlet()
        elif self._first is None or not self.items:
            return
        elif len(self.items) > 1 or current_task(self._loop) is not None:
            self._loop.call_soon(self._serve)
        else:
            self._serve()

    def _serve(self) -> None:
        """Give the oldest item to the first who waits; go on in the next turn of the loop."""
        if self.outlet is not None:
            self.outlet()
            return
        while self._first is not None and self._first.done():  # its task is being cancelled
            self._advance()
        if self._first is None or not self.items:
            return
        item = self.items.popleft()
        if not self._give(self._first, item):
            self.items.appendleft(item)
            self._loop.call_soon(self._serve, context=contextvars.Context())
        elif self.items and self._first is not None:
            self._loop.call_soon(self._serve)

    def _give(self, turn: asyncio.Future[Any], item: Any) -> bool:
        """Run the task that is the first, with an item; return `False` if that cannot be done."""
        self._advance()
        if run_on(turn, item):
            return True
        if self._first is not None:
            self._others.insert(0, self._first)
        self._first = turn
        return False

    def _advance(self) -> None:
        self._first = self._others.pop(0) if self._others else None


def run_on(turn: asyncio.Future[Any], item: Any) -> bool:
    """Let the task that awaits a future run on now, and not in the next turn of the loop, until it waits again.

    Args:
        turn: What the task awaits, and nobody else.
        item: What it gets.

    Returns:
        Whether that could be done. If not, nothing has happened: a task runs now, or the one that waits is being
        cancelled, or somebody runs a callback of the loop within its context.
    """
    loop = turn.get_loop()
    if turn.done() or current_task(loop) is not None:
        return False
    ((resume, context),) = callbacks_of(turn)
    try:
        context.run(_resume, turn, resume, item)
    except (SystemExit, KeyboardInterrupt) as error:
        loop.call_soon(_raise, error)  # a transport would take it for an error of the protocol
    except RuntimeError:
        if turn.done():
            raise
        return False
    return True


def _resume(turn: asyncio.Future[Any], resume: Callable[[asyncio.Future[Any]], object], item: Any) -> None:
    """Let a task run on, not in the next turn of the loop but now; its context is entered.

    Args:
        turn: What it awaits.
        resume: What the task has left with it, for the loop to call.
        item: What it gets.
    """
    turn.remove_done_callback(resume)
    turn.set_result(item)
    resume(turn)


def _raise(error: BaseException) -> NoReturn:
    raise error
