"""The bounded queue between what a peer sends and what handles it."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

T = TypeVar("T")

QueuePolicy: TypeAlias = Literal["wait", "drop_oldest", "close"]
"""What to do when the queue is full.

- "wait": stop reading, so that the peer has to wait; nothing is lost.
- "drop_oldest": the oldest event in the queue is dropped, and counted.
- "close": end the connection with 1013 (try again later); a peer that resumes sends the event again.
"""


NOTHING: Any = ()  # an empty deque takes 0.7 KiB, and most queues of idle links are never used


class QueueFull(Exception):
    """The queue is full, and its policy is "close"."""


class QueueClosed(Exception):
    """Nothing will come out of the queue any more."""


class Reader(Protocol):
    """Brings items without waiting, such as a connection."""

    def go_on(self) -> None:
        """Bring more: the item that waited for room is in the queue, or dropped."""


class _Touched:
    """What every event of a delivery touches: slots of one class lie together, and so in two cache lines of four."""

    __slots__ = (
        "_allowed", "_counts", "_handling", "_items", "_joining", "_kept", "_parked", "busy", "context", "counts",
        "is_stopping", "on_idle", "unfinished",
    )  # fmt: skip


class Inbox(_Touched, Generic[T]):
    """A queue that is full at `size` items; each that is dropped goes to `on_drop`."""

    __slots__ = ("_line", "_on_drop", "can_overflow", "high_water", "is_closed", "policy", "size")

    def __init__(self, size: int, policy: QueuePolicy, on_drop: Callable[[T], None] = lambda item: None) -> None:
        self.size, self.policy = size, policy
        self.high_water = 0
        self.unfinished = 0
        self.is_closed = False
        self.can_overflow = False
        self._on_drop = on_drop
        self._items: deque[T] = NOTHING
        self._line: list[asyncio.Future[None] | tuple[T, Reader]] = []  # what waits for room, in order
        self._joining: tuple[asyncio.Future[None], ...] = ()  # what wait for an item, or until all have been handled

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_blocked(self) -> bool:
        """Whether an item waits for room: the handlers are slower than the peer."""
        return bool(self._line)

    def offer(self, item: T, reader: Reader | None = None, *, is_alone: bool = False) -> bool:
        """Add an item without waiting, by the policy; return whether there was room.

        If there was none, the item waits in line and `reader` is called when it is in the queue; without a reader,
        nothing has happened. While `can_overflow` holds, "wait" means up to twice the size: a handler that waits for a
        reply must not keep the reader from it. `is_alone` says that no other item has come with it; a `Delivery` may
        then handle it at once. Raises `QueueFull` if the policy is "close", and `QueueClosed`.
        """
        if self.is_closed:
            raise QueueClosed
        if self._line or self._is_full():
            if self.policy == "wait":
                if reader is not None:
                    self._line.append((item, reader))
                return False
            if self.policy == "close":
                raise QueueFull
            self._drop()
        self._add(item)
        return True

    async def put(self, item: T) -> None:
        """Add an item, by the policy; raise as `offer` does."""
        if self.offer(item):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
            if self.is_closed:
                raise QueueClosed
            self._add(item)
        finally:
            self._line.remove(turn)
            self._let_in()

    def _add(self, item: T) -> None:
        if self._items is NOTHING:
            self._items = deque()
        self._items.append(item)
        self.unfinished += 1
        if len(self._items) > self.high_water:
            self.high_water = len(self._items)
        self._wake()

    def _is_full(self) -> bool:
        return len(self._items) >= (self.size * 2 if self.can_overflow and self.policy == "wait" else self.size)

    def _let_in(self) -> None:
        """Let items in from the line, in order, while there is room."""
        while self._line and (self.is_closed or not self._is_full()):
            first = self._line[0]
            if isinstance(first, asyncio.Future):
                _release(first)  # it stays in line until its task has run
                return
            del self._line[0]
            item, reader = first
            if self.is_closed:
                self._on_drop(item)
            else:
                self._add(item)
            reader.go_on()

    def allow_overflow(self, allowed: bool) -> None:
        """Set whether a handler waits for something that the reader has to bring."""
        self.can_overflow = allowed
        self._let_in()

    async def get(self) -> T:
        """Take the oldest item, and call `done()` when it has been handled; raise `QueueClosed` if none will come."""
        while not self._items:
            if self.is_closed:
                raise QueueClosed
            await self._change()
        return self.take()

    def take(self) -> T:
        """Take the oldest item of a queue that is not empty; see `get`."""
        item = self._items.popleft()
        if self._line:
            self._let_in()
        return item

    def done(self) -> None:
        """Note that an item which was taken has been handled."""
        self.unfinished -= 1
        if not self.unfinished:
            self._idled()

    def _idled(self) -> None:
        """Wake the tasks that wait until everything has been handled, or for items."""
        turns, self._joining = self._joining, ()
        for turn in turns:
            _release(turn)

    async def join(self) -> None:
        """Wait until every item that was put has been handled or dropped."""
        while self.unfinished:
            await self._change()

    def _change(self) -> "asyncio.Future[None]":
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._joining += (turn,)
        return turn

    def close(self) -> None:
        """Accept no more items; those in the queue can still be taken, those in line for it are dropped."""
        self.is_closed = True
        self._wake()
        self._let_in()

    def clear(self) -> None:
        """Drop all items in the queue and in line for it."""
        waiting = [each for each in self._line if isinstance(each, tuple)]
        self._line = [each for each in self._line if not isinstance(each, tuple)]
        while self._items:
            self._drop()
        for item, reader in waiting:
            self._on_drop(item)
            reader.go_on()
        self._let_in()

    def _drop(self) -> None:
        item = self._items.popleft()
        self._on_drop(item)
        self.done()

    def _wake(self) -> None:
        """Wake the tasks that wait for items."""
        self._idled()


def _release(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
