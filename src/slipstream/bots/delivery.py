"""Between a bot's peer and its handler: a delivery of `slipstream.links`, opened for answers to API calls."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from slipstream.bots.adapters.bot import Bot
from slipstream.links.delivery import Delivery, End, Spawn
from slipstream.links.queue import QueueClosed, QueueFull as QueueFull, QueuePolicy

logger = logging.getLogger("slipstream.bots")

Item: TypeAlias = "tuple[Bot, bytes, asyncio.Future[None] | None]"
"""A bot, a message for it, and a future that is set when the message has been handled; None if nobody waits."""


_TAKE_REPLY = Bot.take_reply  # of bots that take no replies


class Waiting(Protocol):
    """What knows how many API calls wait for their answer."""

    def __len__(self) -> int: ...


@dataclass(slots=True)
class Counts:
    """What became of the messages of one bot; each number only grows."""

    received: int = 0
    handled: int = 0
    failed: int = 0
    dropped: int = 0
    refused: int = 0
    lost: int = 0


class Channel:
    """Delivers the messages of one bot, in the order in which they came.

    A handler starts when the one before it has ended. While an API call of the bot waits for its answer, one more
    may start, because the next message may be that answer.

    Args:
        name: Name for the log.
        spawn: Starts a task, and keeps it.
        queue: Most messages that wait.
        policy: What to do with one more.
        concurrency: How many handlers may run at once; 1 keeps the order.
        on_idle: Called when nothing waits, runs or may come any more.
    """

    __slots__ = ("_calls", "_extra", "_holds", "_on_idle", "counts", "delivery", "name")

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
        self._on_idle = on_idle
        self.delivery: Delivery[Item] = Delivery(self, self.counts, f"bots: {name} handler", queue, policy, concurrency)
        self.delivery.on_idle = on_idle
        self.delivery.employ(spawn)
        self._calls: dict[int, tuple[Waiting, bool]] = {}
        self._holds = 0
        self._extra = 0  # handlers to allow beside the others, one for each call whose answer has to come as a message

    @property
    def is_stopping(self) -> bool:
        """Whether no messages are let in but for what API calls wait for, and what is dropped is lost."""
        return self.delivery.is_stopping

    @is_stopping.setter
    def is_stopping(self, is_stopping: bool) -> None:
        self.delivery.is_stopping = is_stopping

    @property
    def waiting(self) -> int:
        """Messages that wait or are being handled."""
        return self.delivery.unfinished

    @property
    def high_water(self) -> int:
        """Most messages that ever waited."""
        return self.delivery.high_water

    def watch(self, traffic: Waiting, *, is_strict: bool) -> None:
        """Count the calls of one more connection.

        Args:
            traffic: The calls.
            is_strict: Whether no handler has to start for their answers to be found.
        """
        self._calls[id(traffic)] = traffic, is_strict
        self.look()

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
        self.look()

    def release(self) -> None:
        """Let handlers start."""
        self._holds -= 1
        self.look()

    def look(self) -> None:
        """Let as many handlers start as may, now that an API call, or something that held them, has begun or ended."""
        calls = [(len(traffic), is_strict) for traffic, is_strict in self._calls.values()]
        self._extra = sum(count for count, is_strict in calls if not is_strict)
        self.delivery.allow_overflow(any(count for count, _ in calls))
        self.delivery.allow(self._extra, is_held=self._holds > 0)
        may_come = self._calls or self._holds
        self.delivery.on_idle = None if may_come else self._on_idle
        if self.is_idle:
            self._on_idle()

    async def put(self, bot: Bot, message: bytes, outcome: "asyncio.Future[None] | None" = None) -> bool:
        """Take a message, waiting for room where the policy is "wait".

        Returns:
            Whether it will be handled; False while the driver is stopping.

        Raises:
            QueueFull: There is no room, and the policy is "close".
        """
        refused = self.counts.refused
        if not self.lets_in(bot, message):
            return self.counts.refused == refused
        try:
            await self.delivery.put((bot, message, outcome))
        except BaseException as error:
            self.counts.refused += 1
            if isinstance(error, QueueClosed):
                return False
            raise
        return True

    async def join(self) -> None:
        """Wait until all that was taken has been handled."""
        await self.delivery.join()

    def let_go(self) -> None:
        """Keep no task for messages that may come."""
        self.delivery.let_go()

    def clear(self) -> int:
        """Drop what waits, and cancel what runs; return how many messages are lost by it."""
        self.is_stopping = True
        lost = self.waiting
        self.delivery.cancel()
        self.delivery.close()
        self.delivery.clear()
        return lost

    def lets_in(self, bot: Bot, message: bytes) -> bool:
        """Count a message; return whether it is one for the handler."""
        self.counts.received += 1
        if type(bot).take_reply is not _TAKE_REPLY and self._is_reply(bot, message):
            self.counts.handled += 1
        elif self.delivery.is_stopping and not self._extra:
            self.counts.refused += 1
        else:
            return True
        self.look()
        return False

    def _is_reply(self, bot: Bot, message: bytes) -> bool:
        try:
            return bot.take_reply(message)
        except Exception:
            logger.exception("bot %s: take_reply failed on a frame", self.name)
            return False

    # What the delivery asks

    def handle(self, item: Item) -> Awaitable[Any]:
        """Let the bot handle a message."""
        return item[0].handle_message(item[1])

    def ended(self, item: Item, end: End, result: Any) -> None:
        """Say what became of a message."""
        if item[2] is not None and not item[2].done():
            item[2].set_result(None)
        if end == "failed":
            logger.error("bot %s: handle_message failed", self.name, exc_info=result)
        elif end == "dropped" and self.counts.dropped & (self.counts.dropped - 1) == 0:  # the 1st, 2nd, 4th, 8th …
            logger.warning("bot %s: the queue is full, %d frames dropped so far", self.name, self.counts.dropped)
