"""The workers that handle what a peer sends, for links and bots: in order, a number at once, more while calls wait."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from types import CoroutineType
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from slipstream._foreign.asyncio import enter_task, go_on, leave_task
from slipstream.links.counters import Counts
from slipstream.links.errors import ends_task
from slipstream.links.queue import NOTHING, Inbox, QueuePolicy, Reader

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

End: TypeAlias = Literal["handled", "failed", "dropped", "lost"]
"""How an item ended: its handler returned, or raised; a full queue dropped it; there was no time for it."""

_TURN = 64
"""Items that a worker handles before it lets others run, where its handler never waits."""

_CAN_LEND = enter_task is not None
"""Whether a coroutine can run in the name of a task that waits."""

_TAKE: Any = object()
"""What wakes a worker that is to take an item itself."""


Spawn: TypeAlias = Callable[..., "asyncio.Task[Any]"]
"""Starts a task, of a coroutine and a name, in `context`, and keeps it."""


class Handling(Protocol[T_contra]):
    """Handles the items of a delivery."""

    def handle(self, item: T_contra) -> Awaitable[Any]:
        """Handle an item."""

    def ended(self, item: T_contra, end: End, result: Any) -> None:
        """Note the end of an item, and what the handler returned or raised."""


class _Worker:
    """A task that handles items, and what it takes to handle one in its name while it waits for an item."""

    __slots__ = ("begun", "below", "context", "loop", "task", "turn")

    task: "asyncio.Task[Any]"
    loop: asyncio.AbstractEventLoop

    def __init__(self, context: Context) -> None:
        self.context = context
        self.turn: asyncio.Future[Any] | None = None
        """What it waits for; None while it handles an item."""
        self.begun: tuple[Any, Coroutine[Any, Any, Any], Any] | None = None
        """An item that it has to go on with, the coroutine of the handler, and what that waits for."""
        self.below: _Worker | None = None
        """The worker that began to wait before it."""


class Delivery(Inbox[T]):
    """A queue, and the workers that handle what is in it.

    A worker is a task. It is started when there is something to handle, and stays for what comes next. An item that
    comes alone is handled before `offer` returns, in the name of a worker that waits, which wakes and goes on with it
    only where the handler waits. Every handler finds the context variables as they were when the delivery was made; a
    worker whose handler leaves others is replaced. `concurrency` items may be handled at once; 1 keeps the order.
    """

    __slots__ = ("_coming", "_concurrency", "_name", "_spawn", "_workers")

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
        self._parked: _Worker | None = None  # the last worker that began to wait
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
        if not (is_alone and _CAN_LEND and self._parked is not None and not self._items and self.busy < self._allowed):
            return super().offer(item, reader)
        worker = self._parked
        self._parked = worker.below
        turn, loop, task, context = worker.turn, worker.loop, worker.task, worker.context
        if turn is None or turn.done():  # the worker is being cancelled
            return super().offer(item, reader)
        try:
            enter_task(loop, task)
            try:
                context.run(self._begin, worker, item)
            finally:
                leave_task(loop, task)
        except RuntimeError:  # a task runs, or the context has been entered; what a handler raises does not come here
            self._park(worker)
            return super().offer(item, reader)
        if turn.done():  # the handler has cancelled the worker
            self.busy -= worker.begun is None and task in self._workers
        elif worker.begun is not None or context != self.context or not self._kept:
            turn.set_result(None)
        else:
            self.busy -= 1
            self._park(worker)
            if self._items:
                self._wake()
        return True

    def _begin(self, worker: _Worker, item: T) -> None:
        """Run the handler of an item up to where it waits; the worker has to do the rest."""
        self.busy += 1
        self.unfinished += 1
        try:
            work = self._handling.handle(item)
            if type(work) is CoroutineType:
                worker.begun = item, work, work.send(None)
            else:
                worker.begun = item, _awaited(work), None
            return
        except StopIteration as end:
            self._counts.handled += 1
            self._handling.ended(item, "handled", end.value)
        except Exception as error:
            self._end(item, "failed", error)
        except BaseException as error:  # it may end the worker
            worker.begun = item, _raised(error), None
            return
        self.unfinished -= 1
        if not self.unfinished and (self._joining or self.on_idle is not None):
            self._idled()

    def let_go(self) -> None:
        """Keep no worker for later items: the peer has left."""
        self._kept = 0
        while self._parked is not None:
            self._rouse(None)

    def cancel(self) -> set["asyncio.Task[Any]"]:
        """Cancel the handlers, start no others until `employ`, and return their tasks; the queue stays as it is."""
        workers, self._workers, self._spawn = self._workers, set(), None
        self._parked = None
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
            if self._parked is not None:
                self._coming += self._rouse(_TAKE)
                continue
            self.busy += 1
            self._coming += 1
            context = self.context.copy()
            self._workers.add(self._spawn(self._work(_Worker(context)), self._name, context=context))

    def _rouse(self, reason: Any) -> bool:
        """Wake a worker in the next turn of the loop, unless it is being cancelled; return whether it will run."""
        assert self._parked is not None
        turn, self._parked = self._parked.turn, self._parked.below
        if turn is None or turn.done():
            return False
        self.busy += 1
        turn.set_result(reason)
        return True

    async def _work(self, worker: _Worker) -> None:
        """Handle items until there are none, and enough workers wait for more."""
        task = asyncio.current_task()
        assert task is not None
        worker.task, worker.loop, handled = task, asyncio.get_running_loop(), 0
        handling, counts = self._handling, self._counts
        self._coming -= 1
        try:
            while not task.cancelling() and worker.context == self.context:
                rest: Awaitable[Any] | None = None
                if self._items and self.busy <= self._allowed:
                    item: Any = self.take()
                elif self.is_closed or len(self._workers) > self._kept:
                    return
                else:
                    item = result = begun = None  # a worker that waits keeps no message alive
                    begun = await self._begun(worker)
                    if begun is None:
                        continue
                    (item, rest), handled = begun, 0
                try:
                    result = await (handling.handle(item) if rest is None else rest)
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
                handled += 1
                if handled % _TURN == 0:
                    await asyncio.sleep(0)
        finally:
            self._leave(worker)

    def _park(self, worker: _Worker) -> None:
        worker.below, self._parked = self._parked, worker

    async def _begun(self, worker: _Worker) -> tuple[Any, Awaitable[Any]] | None:
        """Wait until there is something to do; return an item that was begun in the worker's name, and its rest."""
        worker.turn = worker.loop.create_future()
        self._park(worker)
        self.busy -= 1
        if not self._items:
            self._items = NOTHING
        cancelled: asyncio.CancelledError | None = None
        try:
            reason = await worker.turn
        except asyncio.CancelledError as error:
            if worker.begun is None:
                raise
            reason, cancelled = None, error
        begun, worker.begun, worker.turn = worker.begun, None, None
        self._coming -= reason is _TAKE
        return None if begun is None else (begun[0], go_on(begun[1], begun[2], cancelled))

    def _leave(self, worker: _Worker) -> None:
        """Remove a worker, and wake another for its work."""
        if worker.task not in self._workers:
            return
        self._workers.discard(worker.task)
        turn = worker.turn
        if turn is None:
            self.busy -= 1
        elif turn.done() and not turn.cancelled():  # it was roused, and cancelled before it ran
            self.busy -= 1
            self._coming -= turn.result() is _TAKE
        self._wake()


async def _awaited(work: Awaitable[Any]) -> Any:
    """Wait for what is no coroutine."""
    return await work


async def _raised(error: BaseException) -> None:
    """Raise an error."""
    raise error
