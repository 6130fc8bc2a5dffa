"""The workers that handle what a peer sends, for links and bots: in order, a number at once, more while calls wait."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from slipstream._foreign.asyncio import WaitedFuture, run_on
from slipstream.links.errors import ends_task
from slipstream.links.queue import Inbox, QueuePolicy, Reader

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, Any], str], "asyncio.Task[Any]"]
"""Starts a task of a name, and keeps it."""

End: TypeAlias = Literal["handled", "failed", "dropped", "lost"]
"""How an item ended: its handler returned, or raised; a full queue dropped it; there was no time for it."""

_TURN = 64
"""Items that a worker handles before it lets others run, where its handler never waits."""

_TAKE: Any = object()
"""What wakes a worker that is to take an item itself."""


class Counts(Protocol):
    """Counts items by their ends."""

    handled: int
    failed: int
    dropped: int
    lost: int


class Handling(Protocol[T_contra]):
    """Handles the items of a delivery."""

    def handle(self, item: T_contra) -> Awaitable[Any]:
        """Handle an item."""

    def ended(self, item: T_contra, end: End, result: Any) -> None:
        """Note the end of an item, and what the handler returned or raised."""


class Delivery(Inbox[T]):
    """A queue, and the workers that handle what is in it.

    A worker is a task. It is started when there is something to handle, and stays for what comes next: an item that
    comes alone is handled before `offer` returns, up to where its handler waits. Every handler finds the context
    variables as they were when the delivery was made; a worker whose handler leaves others is replaced.

    Args:
        handling: Handles the items.
        counts: Where the ends of items are counted.
        name: Name of the workers' tasks.
        size: Most items that wait; at least 1.
        policy: What to do with one more.
        concurrency: How many items may be handled at once; 1 keeps the order.
    """

    __slots__ = (
        "_allowed",
        "_coming",
        "_concurrency",
        "_counts",
        "_handling",
        "_kept",
        "_name",
        "_parked",
        "_spawn",
        "_workers",
        "busy",
        "context",
        "is_stopping",
        "on_idle",
    )

    def __init__(
        self, handling: Handling[T], counts: Counts, name: str, size: int, policy: QueuePolicy, concurrency: int = 1
    ) -> None:
        super().__init__(size, policy, self.drop)
        self.is_stopping = False
        """Whether what is dropped now is lost."""
        self.on_idle: Callable[[], None] | None = None
        """Called when nothing waits or is being handled any more."""
        self.busy = 0
        """How many workers handle an item, or are about to take one."""
        self._handling, self._counts, self._name = handling, counts, name
        self._allowed = self._concurrency = self._kept = concurrency
        self._coming = 0  # workers that were woken or started, and have not run yet
        self._parked: list[asyncio.Future[Any]] = []
        self._workers: set[asyncio.Task[Any]] = set()
        self._spawn: Spawn | None = None
        self.context = copy_context()
        """What handlers find in context variables."""

    def employ(self, spawn: Spawn) -> None:
        """Let workers handle items; `spawn` starts them."""
        self.is_stopping, self._spawn = False, spawn
        self._wake()

    def allow(self, more: int, *, is_held: bool = False) -> None:
        """Set how many handlers may run: `more` beside the usual ones, or, if these are held, `more` only."""
        self._allowed = more + (0 if is_held else self._concurrency)
        self._wake()

    def offer(self, item: T, reader: Reader | None = None, *, is_alone: bool = False) -> bool:
        """Add an item without waiting; see `Inbox.offer`."""
        if is_alone and self._parked and not self._items and self.busy < self._allowed:
            turn = self._parked.pop()
            self.busy += 1
            self.unfinished += 1
            if not self.high_water:
                self.high_water = 1
            if run_on(turn, item):
                return True
            self.busy -= 1
            self.unfinished -= 1
            if not turn.done():
                self._parked.append(turn)
        return super().offer(item, reader)

    def let_go(self) -> None:
        """Keep no worker for later items: the peer has left."""
        self._kept = 0
        while self._parked:
            self._rouse(self._parked.pop(), None)

    def cancel(self) -> set["asyncio.Task[Any]"]:
        """Cancel the handlers, start no others until `employ`, and return their tasks; the queue stays as it is."""
        workers, self._workers, self._spawn = self._workers, set(), None
        self._parked.clear()
        self.busy = self._coming = 0
        for worker in workers:
            worker.cancel()
        return workers

    def drop(self, item: T) -> None:
        """Count and report an item that will not be handled."""
        self._end(item, "lost" if self.is_stopping else "dropped", None)

    def _idled(self) -> None:
        if self._joining:
            super()._idled()
        if self.on_idle is not None:
            self.on_idle()

    def _end(self, item: T, end: End, result: Any) -> None:
        setattr(self._counts, end, getattr(self._counts, end) + 1)
        self._handling.ended(item, end, result)

    def _wake(self) -> None:
        """Start or wake workers for the items, as many as may run."""
        while self.busy < self._allowed and len(self._items) > self._coming and self._spawn is not None:
            if self._parked:
                self._coming += self._rouse(self._parked.pop(), _TAKE)
                continue
            self.busy += 1
            self._coming += 1
            self._workers.add(self.context.copy().run(self._spawn, self._work(), self._name))

    def _rouse(self, turn: "asyncio.Future[Any]", item: Any) -> bool:
        """Wake a worker in the next turn of the loop, unless it is being cancelled; return whether it will run."""
        if turn.done():
            return False
        self.busy += 1
        turn.set_result(item)
        return True

    async def _work(self) -> None:
        """Handle items until there are none, and enough workers wait for more."""
        task = asyncio.current_task()
        assert task is not None
        loop, before, handled = asyncio.get_running_loop(), copy_context(), 0
        handling, counts, parked = self._handling, self._counts, self._parked
        turn: asyncio.Future[Any] | None = None
        self._coming -= 1
        try:
            while True:
                if self._items and self.busy <= self._allowed:
                    item: Any = self.take()
                elif self.is_closed or len(parked) + self.busy > self._kept:
                    return
                else:
                    turn = WaitedFuture(loop=loop)
                    parked.append(turn)
                    self.busy -= 1
                    item = await turn
                    turn, handled = None, 0
                    if item is None:
                        return
                    if item is _TAKE:
                        self._coming -= 1
                        continue
                try:
                    result = await handling.handle(item)
                except BaseException as error:
                    is_over = ends_task(error)
                    self._end(item, "lost" if is_over else "failed", error)
                    if is_over or isinstance(error, GeneratorExit):  # which ends any task that awaits it
                        raise
                else:
                    counts.handled += 1
                    handling.ended(item, "handled", result)
                finally:
                    self.unfinished -= 1
                    if not self.unfinished and (self._joining or self.on_idle is not None):
                        self._idled()
                if task.cancelling() or copy_context() != before:  # what this handler left is not for the next
                    return
                handled += 1
                if handled % _TURN == 0:
                    await asyncio.sleep(0)
        finally:
            self._leave(task, turn)

    def _leave(self, task: "asyncio.Task[Any]", turn: "asyncio.Future[Any] | None") -> None:
        """Remove a worker, and wake another for its work; `turn` is what it waited for when it was cancelled."""
        if task not in self._workers:
            return
        self._workers.discard(task)
        if turn is None:
            self.busy -= 1
        elif turn.done() and not turn.cancelled():  # it was roused, and cancelled before it ran
            self.busy -= 1
            self._coming -= turn.result() is _TAKE
        self._wake()
