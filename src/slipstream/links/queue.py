"""The bounded queue between what a peer sends and what handles it."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Literal, TypeAlias, TypeVar

T = TypeVar("T")

QueuePolicy: TypeAlias = Literal["wait", "drop_oldest", "close"]
"""What to do when the queue is full.

- "wait": read no more, so that the peer has to wait; nothing is lost.
- "drop_oldest": the oldest event that nobody handles yet goes, and is counted.
- "close": end the connection with 1013 (try again later); a peer that resumes sends the event again.
"""


class QueueFull(Exception):
    """The queue is full, and its policy is "close"."""


class QueueClosed(Exception):
    """Nothing will come out of the queue any more."""


class Inbox(Generic[T]):
    """A queue that is full at `size`.

    Args:
        size: Most items that wait; at least 1.
        policy: What to do with one more.
        on_drop: Told each item that is dropped.
    """

    def __init__(self, size: int, policy: QueuePolicy, on_drop: Callable[[T], None] | None = None) -> None:
        self.size, self.policy = size, policy
        self.dropped = 0
        self.high_water = 0
        self.unfinished = 0
        self.is_closed = False
        self.can_overflow = False
        self._on_drop = on_drop
        self._items: deque[T] = deque()
        self._changed: deque[asyncio.Future[None]] = deque()
        self._putters: deque[object] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_blocked(self) -> bool:
        """Whether somebody waits for room: the handlers are slower than the peer."""
        return bool(self._putters)

    async def put(self, item: T) -> None:
        """Add an item, by the policy.

        While `can_overflow` holds, "wait" means up to twice the size: a handler that waits for a reply must
        not block the reader that would bring it.

        Raises:
            QueueFull: It is full and the policy is "close".
            QueueClosed: It has been closed.
        """
        if self.policy == "wait":
            if self._putters or self._is_full():
                await self._turn()
        elif self._is_full() and not self.is_closed:
            if self.policy == "close":
                raise QueueFull
            self._drop()
        if self.is_closed:
            raise QueueClosed
        self._items.append(item)
        self.unfinished += 1
        self.high_water = max(self.high_water, len(self._items))
        self._wake()

    async def _turn(self) -> None:
        """Wait for room, and for those who waited before."""
        ticket = object()
        self._putters.append(ticket)
        try:
            while (self._is_full() or self._putters[0] is not ticket) and not self.is_closed:
                await self._wait()
        finally:
            self._putters.remove(ticket)
            self._wake()

    def _is_full(self) -> bool:
        return len(self._items) >= (self.size * 2 if self.can_overflow and self.policy == "wait" else self.size)

    def allow_overflow(self, allowed: bool) -> None:
        """Say whether a handler waits for something that comes through the reader."""
        self.can_overflow = allowed
        self._wake()

    async def get(self) -> T:
        """Take the oldest item; call `done()` when it has been handled.

        Raises:
            QueueClosed: It has been closed, and is empty.
        """
        while not self._items:
            if self.is_closed:
                raise QueueClosed
            await self._wait()
        return self.take()

    def take(self) -> T:
        """Take the oldest item of a queue that is not empty; see `get`."""
        item = self._items.popleft()
        self._wake()
        return item

    def done(self) -> None:
        """Say that an item which was taken has been handled."""
        self.unfinished -= 1
        if self.unfinished == 0:
            while self._idle:
                _release(self._idle.popleft())

    async def join(self) -> None:
        """Wait until every item that was put has been handled or dropped."""
        while self.unfinished:
            waiter = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter

    def close(self) -> None:
        """Take no more items; those that wait can still be taken."""
        self.is_closed = True
        self._wake()

    def clear(self) -> int:
        """Drop every item that waits; tell how many."""
        count = len(self._items)
        while self._items:
            self._drop()
        return count

    def _drop(self) -> None:
        item = self._items.popleft()
        self.dropped += 1
        if self._on_drop is not None:
            self._on_drop(item)
        self.done()
        self._wake()

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed.append(waiter)
        try:
            await waiter
        finally:
            if not waiter.done() or waiter.cancelled():
                try:
                    self._changed.remove(waiter)
                except ValueError:
                    pass

    def _wake(self) -> None:
        while self._changed:
            _release(self._changed.popleft())


def _release(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
