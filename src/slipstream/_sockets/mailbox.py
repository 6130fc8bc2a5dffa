"""A queue of messages that can run a waiting task at once."""

import asyncio
import contextvars
from asyncio import current_task
from collections import deque
from collections.abc import Callable
from typing import Any

from slipstream._foreign.asyncio import WaitedFuture, run_on

_NONE: Any = ()  # an empty deque takes 0.7 KiB, and most mailboxes are never used


class Mailbox:
    """A queue without a bound; any number of tasks may fetch from it.

    A waiting task gets its item and runs on at once. So no item is lost because its task is cancelled in between.
    """

    __slots__ = ("_loop", "_turns", "items", "outlet")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.items: deque[Any] = _NONE
        """The waiting items, the oldest first."""
        self.outlet: Callable[[], None] | None = None
        """Called when an item has come; waiting tasks then get nothing."""
        self._turns: list[asyncio.Future[Any]] = []  # what the waiting tasks wait for; mostly it is only one
        self._loop = loop

    def __len__(self) -> int:
        return len(self.items)

    def empty(self) -> bool:
        return not self.items

    def add(self, item: Any) -> None:
        """Add an item; `wake` must be called before the code returns to the loop."""
        if self.items is _NONE:
            self.items = deque()
        self.items.append(item)

    def shrink(self) -> None:
        """Hold no memory for items, if there are none."""
        if not self.items:
            self.items = _NONE

    def put_nowait(self, item: Any) -> None:
        """Add an item; a waiting task gets it in the next turn of the loop."""
        self.add(item)
        self._loop.call_soon(self._serve)

    def put_back(self, item: Any) -> None:
        """Add an item before all others, such as the end of a connection, which every task is to see."""
        self.add(item)
        self.items.rotate(1)
        self._loop.call_soon(self._serve)

    async def get(self) -> Any:
        """Remove and return the oldest item; wait for an item if there is none."""
        return self.items.popleft() if self.items else await self.turn()

    def turn(self) -> asyncio.Future[Any]:
        """Return a future of the next item, which the task must await at once; only for an empty queue."""
        turn: asyncio.Future[Any] = WaitedFuture(loop=self._loop)
        if self._turns:
            self._turns = [each for each in self._turns if not each.done()]
        self._turns.append(turn)
        return turn

    def give(self, item: Any) -> bool:
        """Run the first waiting task with an item until it waits again; if this returns False, `add` the item.

        The task may write to its connection and close it, so a protocol must do nothing with its bytes after this call.
        """
        return bool(self._turns) and not self.items and self._give(item)

    def wake(self) -> None:
        """Give the items to the waiting tasks.

        A single item is given at once, as by `give`. Several items, and an item that comes while a task runs, wait for
        the next turn of the loop, and one task runs a turn: a flood must not hold up other connections.
        """
        if self.outlet is not None:
            self.outlet()
        elif not self._turns or not self.items:
            return
        elif len(self.items) > 1 or current_task(self._loop) is not None:
            self._loop.call_soon(self._serve)
        else:
            self._serve()

    def _serve(self) -> None:
        """Give the oldest item to the first waiting task; go on in the next turn of the loop."""
        if self.outlet is not None:
            self.outlet()
            return
        while self._turns and self._turns[0].done():  # its task is being cancelled
            del self._turns[0]
        if not self._turns or not self.items:
            return
        item = self.items.popleft()
        if not self._give(item):
            self.items.appendleft(item)
            self._loop.call_soon(self._serve, context=contextvars.Context())
        elif self.items and self._turns:
            self._loop.call_soon(self._serve)

    def _give(self, item: Any) -> bool:
        """Run the first task with an item; return False if that is not possible."""
        turn = self._turns.pop(0)
        if run_on(turn, item):
            return True
        self._turns.insert(0, turn)
        return False
