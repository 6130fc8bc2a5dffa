"""Between a bot's peer and its handler: a delivery of `slipstream.links`, opened for answers to API calls."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sized
from typing import Any, TypeAlias

from slipstream.bots.adapters.bot import Bot
from slipstream.links.counters import Counts
from slipstream.links.delivery import Delivery, End, Spawn
from slipstream.links.queue import QueueClosed, QueueFull as QueueFull, QueuePolicy

logger = logging.getLogger("slipstream.bots")

Item: TypeAlias = "tuple[Bot, bytes, asyncio.Future[None] | None]"
"""A bot, a message for it, and a future that is set when the message has been handled; None if nobody waits."""


class Channel(Delivery[Item]):
    """Delivers the messages of one bot, in the order in which they came.

    A handler starts when the one before it has ended. While an API call of the bot waits for its answer, one more
    may start, because the next message may be that answer. `on_idle` is called when nothing waits, runs or may come any
    more.
    """

    __slots__ = ("_calls", "_extra", "_holds", "_when_idle", "name")

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
        super().__init__(self, self.counts, f"bots: {name} handler", queue, policy, concurrency)
        self._when_idle = self.on_idle = on_idle
        self.employ(spawn)
        self._calls: dict[Sized, bool] = {}  # of each connection, and whether their answers need no handler
        self._holds = 0
        self._extra = 0  # handlers to allow beside the others, one for each call whose answer has to come as a message

    def watch(self, traffic: Sized, *, is_strict: bool) -> None:
        """Count the API calls of one more connection; `is_strict`: their answers are found without a handler."""
        self._calls[traffic] = is_strict
        self.look()

    def forget(self, traffic: Sized) -> None:
        """Count the calls of a connection no more."""
        self._calls.pop(traffic, None)
        self.look()

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
        self._extra = sum(len(traffic) for traffic, is_strict in self._calls.items() if not is_strict)
        self.allow_overflow(any(map(len, self._calls)))
        self.allow(self._extra, is_held=self._holds > 0)
        may_come = self._calls or self._holds
        self.on_idle = None if may_come else self._when_idle
        if not (self.unfinished or may_come):
            self._when_idle()

    async def deliver(self, bot: Bot, message: bytes, outcome: "asyncio.Future[None] | None" = None) -> bool:
        """Put a message into the queue; return whether it will be handled, which it is not while the driver stops."""
        refused = self.counts.refused
        if not self.lets_in(bot, message):
            return self.counts.refused == refused
        try:
            await self.put((bot, message, outcome))
        except BaseException as error:
            self.counts.refused += 1
            if isinstance(error, QueueClosed):
                return False
            raise
        return True

    def give_up(self) -> int:
        """Drop what waits, and cancel what runs; return how many messages are lost by it."""
        self.is_stopping = True
        lost = self.unfinished
        self.cancel()
        self.close()
        self.clear()
        return lost

    def lets_in(self, bot: Bot, message: bytes) -> bool:
        """Count a message; return whether it is one for the handler."""
        self.counts.received += 1
        is_reply = False
        if type(bot).take_reply is not Bot.take_reply:
            try:
                is_reply = bot.take_reply(message)
            except Exception:
                logger.exception("bot %s: take_reply failed on a frame", self.name)
        if is_reply:
            self.counts.handled += 1
        elif self.is_stopping and not self._extra:
            self.counts.refused += 1
        else:
            return True
        self.look()
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
