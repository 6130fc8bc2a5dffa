"""The bounded queue between what a bot's peer sends and what handles it. Knows no socket."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from slipstream.bots.adapters.bot import Bot
from slipstream.links.queue import Inbox, QueueClosed, QueueFull as QueueFull, QueuePolicy

logger = logging.getLogger("slipstream.bots")

Spawn = Callable[[Coroutine[Any, Any, Any], str], "asyncio.Task[Any]"]


class Waiting(Protocol):
    """What knows how many API calls wait for their answer."""

    def __len__(self) -> int: ...


@dataclass(slots=True)
class Counts:
    """What became of the frames of one bot; each number only grows."""

    received: int = 0
    handled: int = 0
    failed: int = 0
    dropped: int = 0
    refused: int = 0
    lost: int = 0


@dataclass(slots=True, eq=False)
class Frame:
    """A message on its way to the bot's handler; `outcome` tells when it is through."""

    bot: Bot
    message: bytes
    outcome: "asyncio.Future[None] | None" = field(default=None)

    def settle(self) -> None:
        """Say that it is through: handled, failed or dropped."""
        if self.outcome is not None and not self.outcome.done():
            self.outcome.set_result(None)


class Channel:
    """Delivers the frames of one bot, in the order in which they came.

    A handler starts when the one before it has ended. While an API call of the bot waits for its answer, one more
    may start, because the next frame may be that answer.

    Args:
        name: Name for the log.
        spawn: Starts a task, and keeps it.
        queue: Most frames that wait.
        policy: What to do with one more.
        concurrency: How many handlers may run at once; 1 keeps the order.
        on_idle: Called when nothing waits, runs or may come any more.
    """

    def __init__(
        self,
        name: str,
        spawn: Spawn,
        queue: int = 1000,
        policy: QueuePolicy = "wait",
        concurrency: int = 1,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self.counts = name, Counts()
        self._task_name = f"bots: {name} handler"
        self._spawn, self._concurrency, self._on_idle = spawn, concurrency, on_idle
        self._inbox: Inbox[Frame] = Inbox(queue, policy, self._on_drop)
        self._running: set[asyncio.Task[None]] = set()
        self._calls: dict[int, tuple[Waiting, bool]] = {}
        self._holds = 0
        self._extra = 0  # handlers to allow beside the others, one for each call whose answer has to come as a frame
        self.is_stopping = False

    @property
    def waiting(self) -> int:
        """Frames that wait or are being handled."""
        return self._inbox.unfinished

    @property
    def high_water(self) -> int:
        """Most frames that ever waited."""
        return self._inbox.high_water

    def watch(self, traffic: Waiting, *, is_strict: bool) -> None:
        """Count the calls of one more connection.

        Args:
            traffic: The calls.
            is_strict: Whether no handler has to start for their answers to be found.
        """
        self._calls[id(traffic)] = traffic, is_strict

    def forget(self, traffic: Waiting) -> None:
        """Count the calls of a connection no more."""
        self._calls.pop(id(traffic), None)
        self.look()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, runs or may come."""
        return not (self.waiting or self._calls or self._holds)

    def hold(self) -> None:
        """Start no handler before `release()`, but for what API calls wait for."""
        self._holds += 1

    def release(self) -> None:
        """Let handlers start."""
        self._holds -= 1
        self.look()

    def look(self) -> None:
        """See anew whether a handler may start: an API call has begun or ended."""
        calls = [(len(traffic), is_strict) for traffic, is_strict in self._calls.values()]
        self._extra = sum(count for count, is_strict in calls if not is_strict)
        self._inbox.allow_overflow(any(count for count, _ in calls))
        self._go_on()

    def _go_on(self) -> None:
        self._start_handlers()
        if self.is_idle:
            self._on_idle()

    async def put(self, bot: Bot, message: bytes, outcome: "asyncio.Future[None] | None" = None) -> bool:
        """Take a frame, waiting for room where the policy is "wait".

        Returns:
            Whether it will be handled; False while the driver is stopping.

        Raises:
            QueueFull: There is no room, and the policy is "close".
        """
        self.counts.received += 1
        if self._is_reply(bot, message):
            self.counts.handled += 1
            self.look()
            return True
        if self.is_stopping and not self._extra:
            self.counts.refused += 1
            self.look()
            return False
        try:
            await self._inbox.put(Frame(bot, message, outcome))
        except QueueClosed:
            self.counts.refused += 1
            return False
        except BaseException:
            self.counts.refused += 1
            raise
        self._start_handlers()
        return True

    async def join(self) -> None:
        """Wait until all that was taken has been handled."""
        await self._inbox.join()

    def clear(self) -> int:
        """Drop what waits, and cancel what runs; tell how many frames are lost by it."""
        self.is_stopping = True
        self._inbox.close()
        waited = self._inbox.clear()
        for task in self._running:
            task.cancel()
        self.counts.lost += len(self._running)
        return waited + len(self._running)

    def _is_reply(self, bot: Bot, message: bytes) -> bool:
        if type(bot).take_reply is Bot.take_reply:
            return False
        try:
            return bot.take_reply(message)
        except Exception:
            logger.exception("bot %s: take_reply failed on a frame", self.name)
            return False

    def _on_drop(self, frame: Frame) -> None:
        frame.settle()
        if self.is_stopping:
            self.counts.lost += 1
            return
        self.counts.dropped += 1
        if self.counts.dropped & (self.counts.dropped - 1) == 0:  # the 1st, 2nd, 4th, 8th …
            logger.warning("bot %s: the queue is full, %d frames dropped so far", self.name, self.counts.dropped)

    def _start_handlers(self) -> None:
        while len(self._inbox) and self._is_room():
            task = self._spawn(self._handle(self._inbox.take()), self._task_name)
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _is_room(self) -> bool:
        return len(self._running) + (self._concurrency if self._holds else 0) < self._concurrency + self._extra

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._inbox.done()
        self._go_on()

    async def _handle(self, frame: Frame) -> None:
        try:
            await frame.bot.handle_message(frame.message)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._failed(frame)
        except Exception:
            self._failed(frame)
        else:
            self.counts.handled += 1
        finally:
            frame.settle()

    def _failed(self, frame: Frame) -> None:
        self.counts.failed += 1
        logger.exception("bot %s: handle_message failed", self.name)
