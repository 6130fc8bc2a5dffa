"""Where messages wait for whoever fetches them."""

import asyncio
from collections import deque
from typing import Any


class Mailbox:
    """A queue without a bound; any number of tasks may fetch from it.

    It has the names that `asyncio.Queue` has, and is about a third of its price.
    """

    __slots__ = ("_items", "_waiting")

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._items

    def clear(self) -> None:
        """Throw away what waits."""
        self._items.clear()

    def put_nowait(self, item: Any) -> None:
        """Put in an item, and wake one that waits."""
        self._items.append(item)
        if self._waiting:
            self._wake()

    def put_back(self, item: Any) -> None:
        """Put in an item before all others: the end of a connection, which everyone is to see."""
        self._items.appendleft(item)
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def get(self) -> Any:
        """Take out the oldest item; wait for one if there is none."""
        while not self._items:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                elif self._items:  # woken and cancelled at once: the item is the next one's
                    self._wake()
                raise
        return self._items.popleft()
