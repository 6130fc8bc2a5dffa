"""The bots that are connected: who holds which id, what is announced to the program, what is still to be handled."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextvars import Context
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slipstream.bots.adapters.bot import Bot, Traffic
from slipstream.bots.delivery import Channel
from slipstream.bots.exception import BotExists, WrongSetting
from slipstream.links.counters import Counters
from slipstream.links.queue import QueueClosed, QueueFull, QueuePolicy, Reader
from slipstream.links.redact import printable

logger = logging.getLogger("slipstream.bots")

BotHook = Callable[[Bot], Awaitable[None]]
"""Called with a bot that has connected or disconnected."""


class Options(BaseModel):
    """What the drivers read from the settings, each name after `slipstream_`.

    Args:
        duplicate_ids: What to do when the bot of a peer is connected already: refuse the newer (403), or close the
            older (4409). Between peers that call us; a link that we dial waits for its id, and is never replaced.
        queue: Most messages of one bot that wait for its handler.
        queue_policy: What to do with one more: "wait", "drop_oldest" or "close" (1013; 503 to a POST).
        concurrency: How many handlers of one bot may run at once; 1 keeps the order of its messages.
        hook_timeout: Seconds that `check_permission` and each hook may take; None: for ever.
        drain_timeout: Seconds that handlers have at shutdown for what has been received.
        write_timeout: Seconds that a peer may take to accept what is sent; then it is let go. None: for ever.
        ws_max_size: Longest message or body that is taken, in bytes; a longer one ends with 1009, or 413.
        ws_ping_interval: Seconds between pings to each peer; None: no pings.
        ws_ping_timeout: Seconds that a peer has to answer a ping; None: for ever.
        ws_refusal_status: Status of every refused WebSocket, such as 403. Default: None, that of `check_permission`, or
            403 where it gives none.
        allow_empty_token: Whether `run()` may listen on more than this machine though no token is set.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator="slipstream_{}".format)

    duplicate_ids: Literal["refuse", "replace"] = "refuse"
    queue: int = Field(1000, ge=1)
    queue_policy: QueuePolicy = "wait"
    concurrency: int = Field(1, ge=1)
    hook_timeout: float | None = Field(10.0, gt=0)
    drain_timeout: float = Field(10.0, ge=0)
    write_timeout: float | None = Field(10.0, gt=0)
    ws_max_size: int = Field(16 * 1024 * 1024, ge=1)
    ws_ping_interval: float | None = Field(20.0, gt=0)
    ws_ping_timeout: float | None = Field(20.0, gt=0)
    ws_refusal_status: int | None = Field(None, ge=400, le=599)
    allow_empty_token: bool = False

    @classmethod
    def of(cls, settings: BaseModel) -> "Options":
        """Read them from the settings of a program; WrongSetting names one that is not possible."""
        try:
            return cls.model_validate(settings.model_dump())
        except ValidationError as wrong:
            first = wrong.errors()[0]
            raise WrongSetting("the settings", str(first["loc"][0]), first["msg"]) from None


class Socket(Protocol):
    """A WebSocket in which the program may wait for the next message itself."""

    @property
    def waiting(self) -> Collection[Any]:
        """Who waits for a message."""

    def take(self, message: str | bytes) -> bool:
        """Give a message to the longest waiting receiver; return whether there was one."""


@dataclass(eq=False, slots=True)
class Presence:
    """One connection of one bot, from its beginning to its end; it receives the connection's messages."""

    adapter: str
    bot: Bot
    channel: Channel
    traffic: Traffic
    socket: Socket | None
    takes_replies: bool
    announced: "asyncio.Task[None] | None" = None
    is_over: bool = False
    counters: Counters | None = None
    """Those of the link that we dial."""

    takes_bytes: ClassVar[bool] = True

    def take(self, connection: Any, message: str | bytes, reader: Reader, is_alone: bool) -> bool:
        """Take a message: for a task that waits in `receive`, or else for the bot's handler; see `Receiver.take`."""
        bot, channel, socket, counters = self.bot, self.channel, self.socket, self.counters
        if counters is not None:  # what its channel has taken counts as handled by a link
            counters.received += 1
            counters.handled += 1
        if socket is not None and socket.waiting and socket.take(message):
            return True
        if isinstance(message, str):
            message = message.encode()
        if self.takes_replies or channel.is_stopping:
            if not channel.lets_in(bot, message):
                return True
        else:
            channel.counts.received += 1
        try:
            return channel.offer((bot, message, None), reader, is_alone=is_alone)
        except (QueueClosed, QueueFull) as error:
            channel.counts.refused += 1
            if isinstance(error, QueueFull):
                raise
            return True


class Hub:
    """Who is connected; the bots stand in `clients` by id."""

    def __init__(
        self,
        options: Options,
        connect_hooks: Collection[BotHook],
        disconnect_hooks: Collection[BotHook],
        clients: dict[str, Bot],
    ) -> None:
        self.options, self.clients = options, clients
        self._connect_hooks, self._disconnect_hooks = connect_hooks, disconnect_hooks
        self._channels: dict[tuple[str, str], Channel] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.is_stopping = False

    def spawn(self, work: Coroutine[Any, Any, Any], name: str, context: Context | None = None) -> "asyncio.Task[Any]":
        """Run a coroutine, in a context; it is kept until its end, and what it raises is logged."""
        task = asyncio.get_running_loop().create_task(work, name=name, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s ended with an exception", task.get_name(), exc_info=error)

    def channel(self, adapter: str, self_id: str) -> Channel:
        """The queue of a bot; it lasts as long as something is in it or may come."""
        key = adapter, self_id
        found = self._channels.get(key)
        if found is None:
            options = self.options
            found = Channel(
                printable(f"{adapter}/{self_id}"),  # an id is what a peer says it is
                self.spawn,
                options.queue,
                options.queue_policy,
                options.concurrency,
                lambda: self._forget(key),
            )
            found.is_stopping = self.is_stopping
            self._channels[key] = found
        return found

    def _forget(self, key: tuple[str, str]) -> None:
        if (channel := self._channels.pop(key, None)) is not None:
            channel.let_go()

    def connect(self, adapter: str, bot: Bot, socket: Socket | None = None) -> Presence:
        """Give a bot its id, or raise BotExists; its messages wait until it is announced."""
        if bot.self_id in self.clients:
            raise BotExists(bot.self_id)
        channel = self.channel(adapter, bot.self_id)
        traffic = Traffic(channel.look)
        object.__setattr__(bot, "_traffic", traffic)
        self.clients[bot.self_id] = bot
        takes_replies = type(bot).take_reply is not Bot.take_reply
        channel.watch(traffic, is_strict=socket is None or takes_replies)
        presence = Presence(adapter, bot, channel, traffic, socket, takes_replies)
        channel.hold()
        return presence

    def announce(self, presence: Presence) -> None:
        """Call the hooks; messages wait until these are through."""
        name = f"bots: {presence.channel.name} connect hooks"
        presence.announced = self.spawn(self._announce(presence), name)

    def leave(self, presence: Presence) -> None:
        """Take note of its end: the id is free, API calls fail, the hooks are called."""
        if presence.is_over:
            return
        presence.is_over = True
        bot = presence.bot
        if self.clients.get(bot.self_id) is bot:
            del self.clients[bot.self_id]
        presence.traffic.end()
        presence.channel.forget(presence.traffic)
        if presence.announced is None:
            presence.channel.release()
            return
        self.spawn(self._renounce(presence), f"bots: {presence.channel.name} disconnect hooks")

    def take_back(self, presence: Presence, message: str | bytes) -> None:
        """Handle a message after all that was given to somebody who did not take it."""
        content = message.encode() if isinstance(message, str) else message
        self.spawn(presence.channel.deliver(presence.bot, content), f"bots: {presence.channel.name} message given back")

    async def _announce(self, presence: Presence) -> None:
        try:
            await self._run("connect", self._connect_hooks, presence.bot)
        finally:
            presence.channel.release()

    async def _renounce(self, presence: Presence) -> None:
        assert presence.announced is not None
        await asyncio.wait({presence.announced})
        await self._run("disconnect", self._disconnect_hooks, presence.bot)

    async def _run(self, what: str, hooks: Collection[BotHook], bot: Bot) -> None:
        await asyncio.gather(*(self._run_one(what, hook, bot) for hook in tuple(hooks)))

    async def _run_one(self, what: str, hook: BotHook, bot: Bot) -> None:
        name, self_id = getattr(hook, "__qualname__", repr(hook)), printable(bot.self_id)
        try:
            async with asyncio.timeout(self.options.hook_timeout) as limit:
                result = hook(bot)
                if inspect.isawaitable(result):
                    await result
        except Exception:
            if limit.expired():
                allowed = self.options.hook_timeout
                logger.error("bot %s: %s hook %s took more than %s seconds", self_id, what, name, allowed)
            else:
                logger.exception("bot %s: %s hook %s failed", self_id, what, name)

    # Life

    def start(self) -> None:
        """Take messages."""
        self.is_stopping = False
        self._channels.clear()

    async def drain(self) -> None:
        """Take no more messages, but for answers to API calls; wait, not for ever, until the others are handled."""
        self.is_stopping = True
        channels = tuple(self._channels.values())
        refused = [channel.counts.refused for channel in channels]
        joins = []
        for channel in channels:
            channel.is_stopping = True
            if channel.unfinished:
                joins.append(asyncio.ensure_future(channel.join()))
        if joins:
            _, late = await asyncio.wait(joins, timeout=self.options.drain_timeout)
            for join in late:
                join.cancel()
        for channel, before in zip(channels, refused, strict=True):
            lost, too_late = channel.give_up(), channel.counts.refused - before
            if lost or too_late:
                logger.warning(
                    "bot %s: stopped; %d frames were received and not handled in time, %d read and refused",
                    channel.name,
                    lost,
                    too_late,
                )

    async def settle(self) -> None:
        """Wait until the disconnect hooks are through, each within its limit; cancel what is still running."""
        for _ in range(2):
            tasks = {task for task in self._tasks if task is not asyncio.current_task()}
            if not tasks:
                return
            _, late = await asyncio.wait(tasks, timeout=self.options.hook_timeout)
            for task in late:
                task.cancel()
