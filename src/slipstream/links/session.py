"""What outlives one connection with one peer: queue, dedupe window, outbox, calls, and the workers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol
from weakref import WeakSet

from slipstream.links.clock import Clock
from slipstream.links.connection import Connection, Data, LinkFacts, encoded
from slipstream.links.counters import Counters, is_power_of_two
from slipstream.links.dedupe import DedupeWindow
from slipstream.links.delivery import Delivery, End
from slipstream.links.errors import CallTimeout, CannotReceive, LinkDown, OutboxFull, WrongSetup, ends_task
from slipstream.links.events import described_without_input, id_of
from slipstream.links.handlers import Handler, parsed
from slipstream.links.outbox import Dropped, Outbox
from slipstream.links.pending import PendingCalls
from slipstream.links.queue import Inbox, QueueClosed, QueueFull, Reader
from slipstream.links.rules import Failure, TokenBucket

logger = logging.getLogger("slipstream.links")


class Skipped(Exception):
    """An event was not handled, for `reason`: "dropped", "lost", "refused"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True, eq=False)
class Item:
    """An event on its way to the handler, and the future that waits for its result."""

    connection: Connection
    event: Any
    event_id: Any = None
    outcome: "asyncio.Future[Any] | None" = None

    def settle(self, result: Any = None, error: BaseException | None = None) -> None:
        """Set the result of the event."""
        if self.outcome is not None:
            _settle(self.outcome, result, error)


@dataclass(slots=True, eq=False)
class Conversation:
    """Messages for a handler that holds a whole connection, or for a login; `is_over` is set when it has returned."""

    inbox: Inbox[Item]
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


class Spawner(Protocol):
    """Runs the tasks of a session."""

    def spawn(
        self, work: Any, name: str, on_error: Callable[[BaseException], Any] | None = None
    ) -> "asyncio.Task[Any]":
        """Run a coroutine; `on_error` gets its error."""


class SessionLink(LinkFacts, Protocol):
    """The link of a session."""

    @property
    def home(self) -> Spawner:
        """The collection that the link belongs to."""

    counters: Counters
    clock: Clock
    handler: Handler | None
    hooks: Mapping[str, list[Callable[..., Any]]]

    def report_dropped(self, dropped: list[Dropped]) -> None:
        """Report messages that an outbox dropped."""

    def begin_task(self) -> None:
        """Note that the current task works for the link."""


class Session:
    """One peer of a link; its key tells it from the others."""

    def __init__(self, link: SessionLink, key: Hashable = None) -> None:
        self.link, self.key = link, key
        options = link.options
        self.inbox: Delivery[Item] = Delivery(
            self, link.counters, f"links: {link.name} worker", options.queue, options.policy, options.concurrency
        )
        self.window = DedupeWindow(options.dedupe)
        self.outbox = Outbox(options.outbox, options.outbox_bytes, options.outbox_ttl, options.outbox_policy)
        self.pending = PendingCalls()
        self.bucket = None if options.rate is None else TokenBucket(options.rate, options.burst)
        self._pacing = asyncio.Lock()
        self.last_id: Any = None
        self.handled_id: Any = None
        self.replaced: WeakSet[Connection] = WeakSet()
        self._open: list[Connection] = []
        self._ready: list[Connection] = []
        self._in_hand: dict[Hashable, asyncio.Future[Any]] = {}
        self._conversations: dict[Connection, Conversation] = {}
        self._sending = asyncio.Lock()

    def _forget(self, item: Item) -> None:
        """Accept an event that was not handled if its peer sends it again."""
        if item.event_id is not None:
            self.window.discard(item.event_id)

    # Life

    @property
    def is_draining(self) -> bool:
        """Whether new events are refused, and dropped ones are lost."""
        return self.inbox.is_stopping

    def drain(self) -> None:
        """Let no new events in."""
        self.inbox.is_stopping = True

    def employ(self) -> None:
        """Let events be handled."""
        self._sending, self._pacing = asyncio.Lock(), asyncio.Lock()  # of this event loop
        self.inbox.context.run(self.link.begin_task)
        self.inbox.employ(self._spawn)

    def _spawn(self, work: Any, name: str) -> "asyncio.Task[Any]":
        return self.link.home.spawn(work, name, self._worker_ended)

    def _worker_ended(self, error: BaseException) -> None:
        """Log that a `GeneratorExit`, which ends any task, has ended a worker; the delivery starts another."""
        logger.error("link %s: a worker ended, and is replaced", self.link.name, exc_info=error)

    async def dismiss(self) -> None:
        """Cancel the workers and their handlers; events that wait are counted as lost."""
        self.drain()
        for inbox in self.inboxes:
            inbox.clear()
        if workers := self.inbox.cancel():
            await asyncio.wait(workers)

    # Events

    def take(self, connection: Connection, message: Data, reader: Reader, is_alone: bool) -> bool:
        """Take one message of the peer without waiting; see `deliver`.

        Args:
            connection: The connection that brought it.
            message: The message.
            reader: Called when there is room for the message, if there is none now.
            is_alone: Whether no other message has come with it.

        Returns:
            Whether there was room for it.

        Raises:
            QueueFull: The queue is full, and its policy is "close".
        """
        item = self._read(connection, message)
        if isinstance(item, bool):
            return True
        self._note(item)
        last_id = self.last_id
        if item.event_id is not None:
            self.last_id = item.event_id
        try:
            return self.inbox_of(connection).offer(item, reader, is_alone=is_alone)
        except (QueueFull, QueueClosed) as error:
            self.last_id = last_id
            self._refused(item)
            if isinstance(error, QueueFull):
                raise
            return True

    async def deliver(
        self,
        connection: Connection,
        raw: Data,
        outcome: "asyncio.Future[Any] | None" = None,
        *,
        is_strict: bool = False,
        is_new: bool = True,
    ) -> bool:
        """Take one message of the peer: give a reply to its call, put an event into the queue, skip others.

        Args:
            connection: The connection that brought it.
            raw: The message.
            outcome: Gets the result of the event.
            is_strict: Whether to raise for a message that is no event.
            is_new: False for a message that has been counted, and has waited for the connection to log in.

        Returns:
            Whether it is an event that is now in the queue.

        Raises:
            QueueFull: The queue is full, and its policy is "close".
            ValueError: It is no event, and `is_strict` holds.
        """
        item = self._read(connection, raw, outcome, is_strict=is_strict, is_new=is_new)
        if isinstance(item, bool):
            return item
        return await self._enqueue(item, self.inbox_of(connection) if is_new else self.inbox)

    def _read(
        self,
        connection: Connection,
        raw: Data,
        outcome: "asyncio.Future[Any] | None" = None,
        *,
        is_strict: bool = False,
        is_new: bool = True,
    ) -> "Item | bool":
        """Make an event of a message; or return whether it repeats an event that is still in handling."""
        handler, counters = self.link.handler, self.link.counters
        if is_new:
            if self.pending.expects_replies and self._is_reply(raw):
                return False
            counters.received += 1
            if self._refuses(connection):
                return False
            if connection in self._conversations:
                return Item(connection, raw, None, outcome)
        if handler is None or handler.is_conversation:
            return Item(connection, raw, None, outcome)
        try:
            event = handler.read(raw)
        except ValueError as error:
            self._skip(error)
            if is_strict:
                raise
            return False
        return self._identified(connection, event, outcome, is_strict=is_strict)

    async def deliver_value(self, connection: Connection, value: Any, outcome: "asyncio.Future[Any]") -> bool:
        """Take one event from an answer that has been parsed; see `deliver`."""
        handler, counters = self.link.handler, self.link.counters
        counters.received += 1
        if self._refuses(connection):
            return False
        try:
            event = value if handler is None else handler.read_value(value)
        except ValueError as error:
            self._skip(error)
            return False
        item = self._identified(connection, event, outcome)
        return item if isinstance(item, bool) else await self._enqueue(item, self.inbox)

    def _refuses(self, connection: Connection) -> bool:
        """Return whether to refuse an event: while stopping, or over a connection that its peer has replaced.

        The new connection knows the latest id by then; later events of the old one would come twice.
        """
        if self.is_draining or connection in self.replaced:
            self.link.counters.refused += 1
            return True
        return False

    def _identified(
        self, connection: Connection, event: Any, outcome: "asyncio.Future[Any] | None", *, is_strict: bool = False
    ) -> "Item | bool":
        try:
            event_id = id_of(event, self.link.options.event_id)
            hash(event_id)
        except BaseException as error:  # of a function of the program
            if ends_task(error):
                raise
            unreadable = ValueError(f"its id cannot be read: {type(error).__name__}")
            self._skip(unreadable)
            if is_strict:
                raise unreadable from error
            return False
        if event_id is not None and event_id in self.window:
            self.link.counters.duplicates += 1
            return outcome is not None and self._follow(event_id, outcome)
        return Item(connection, event, event_id, outcome)

    async def _enqueue(self, item: Item, inbox: Inbox[Item]) -> bool:
        self._note(item)
        try:
            if not inbox.offer(item):
                await inbox.put(item)
        except BaseException as error:
            self._refused(item)
            if isinstance(error, QueueClosed):
                return False
            raise
        if item.event_id is not None:
            self.last_id = item.event_id
        return True

    def _note(self, item: Item) -> None:
        """Remember an event's id before the wait for room: another connection of the peer may bring it too."""
        if item.event_id is not None:
            self.window.add(item.event_id)
            if item.outcome is not None:
                self._in_hand[item.event_id] = item.outcome
                item.outcome.add_done_callback(partial(self._let_go, item.event_id))

    def _refused(self, item: Item) -> None:
        """Count an event for which there was no room; the peer has to send it again."""
        self.link.counters.refused += 1
        self._forget(item)
        item.settle(error=Skipped("refused"))

    def _follow(self, event_id: Hashable, outcome: "asyncio.Future[Any]") -> bool:
        """Give a repeat the result of its event; return whether that is still in handling."""
        first = self._in_hand.get(event_id)
        if first is None or first.done():
            outcome.set_result(None)
            return False
        first.add_done_callback(partial(_copy, outcome))
        return True

    def _let_go(self, event_id: Hashable, outcome: "asyncio.Future[Any]") -> None:
        if self._in_hand.get(event_id) is outcome:
            del self._in_hand[event_id]

    def _skip(self, error: ValueError) -> None:
        counters = self.link.counters
        counters.invalid += 1
        if is_power_of_two(counters.invalid):
            logger.warning(
                "link %s: skipped a message that is no event (%d so far): %s",
                self.link.name,
                counters.invalid,
                described_without_input(error),
            )

    def handle(self, item: Item) -> Awaitable[Any]:
        """Call the handler."""
        handler = self.link.handler
        return _nothing() if handler is None else handler.run(item.connection, item.event)

    def ended(self, item: Item, end: End, result: Any) -> None:
        """Forget, log and settle an event by its end."""
        if end == "handled":
            if item.event_id is not None:
                self.handled_id = item.event_id
            item.settle(result)
            return
        if end != "failed":
            self._forget(item)
            item.settle(error=Skipped(end))
            return
        if self.link.kind == "webhook":  # its sender gets 500, and may send it again
            self._forget(item)
        name = self.link.handler.name if self.link.handler else "a handler"
        logger.error("link %s: %s failed on an event", self.link.name, name, exc_info=result)
        other = RuntimeError(f"the handler raised {type(result).__name__}")
        item.settle(error=result if isinstance(result, Exception) else other)

    async def next_message(self, connection: Connection) -> Data:
        """Wait for the next message of a conversation; see `Peer`."""
        conversation = self._conversations.get(connection)
        if conversation is None:
            if connection in self._open or self.link.kind in ("polling", "webhook"):
                raise CannotReceive(self.link.name, connection.id)
            raise QueueClosed
        inbox = conversation.inbox
        item = await inbox.get()
        inbox.done()
        self.link.counters.handled += 1
        message: Data = item.event
        return message

    # Connections

    @property
    def is_conversation(self) -> bool:
        """Whether the handler reads the messages itself."""
        return self.link.handler is not None and self.link.handler.is_conversation

    @property
    def connection(self) -> Connection | None:
        """The latest of the peer's connections that have not ended; None while it is away."""
        return self._open[-1] if self._open else None

    def conversation(self, connection: Connection) -> Conversation | None:
        """Return the messages for a handler that holds the connection, or for a `login` function, if there is one."""
        return self._conversations.get(connection)

    def inbox_of(self, connection: Connection) -> Inbox[Item]:
        """Return the queue for the messages of a connection."""
        conversation = self._conversations.get(connection)
        return self.inbox if conversation is None else conversation.inbox

    @property
    def inboxes(self) -> list[Inbox[Item]]:
        """All queues for messages of the peer."""
        return [self.inbox, *(each.inbox for each in self._conversations.values())]

    @property
    def waiting(self) -> int:
        """Events that wait for the handler or are being handled."""
        return sum(inbox.unfinished for inbox in self.inboxes)

    @property
    def is_blocked(self) -> bool:
        """Whether a message waits for room, so that later ones are not read."""
        return any(inbox.is_blocked for inbox in self.inboxes)

    async def join(self) -> None:
        """Wait until every event has been handled or dropped."""
        for inbox in self.inboxes:
            await inbox.join()

    def begin(self, connection: Connection) -> None:
        """Note a new connection; from now on it may bring messages."""
        if self.is_conversation or self.link.hooks["login"]:
            options = self.link.options
            self._conversations[connection] = Conversation(Inbox(options.queue, options.policy, self.inbox.drop))
        self._open.append(connection)

    async def release(self, connection: Connection) -> None:
        """Give the messages that came during the login, and were not received, to the handler of events.

        Raises:
            QueueFull: The queue is full, and its policy is "close".
        """
        conversation = self._conversations.get(connection)
        if conversation is None or self.is_conversation:
            return
        inbox = conversation.inbox
        # New messages go behind those that wait, until none waits.
        while len(inbox) or inbox.is_blocked:
            item = await inbox.get()
            inbox.done()
            await self.deliver(connection, item.event, is_new=False)
        self._conversations.pop(connection, None)
        conversation.is_over.set()

    async def ready(self, connection: Connection) -> None:
        """Let a connection that has logged in take messages; first those of the outbox."""
        self._ready.append(connection)
        connection.is_ready = True
        while connection in self._ready and connection.is_open and len(self.outbox):
            if self.bucket is not None:
                await self.pace()
            async with self._sending:
                message, expired = self.outbox.take(self.link.clock.now().monotonic)
                self.link.report_dropped(expired)
                if message is None:
                    return
                try:
                    await self._transmit(connection, message.data)
                except LinkDown:
                    self.link.counters.unsure += 1

    def spawn(self, connection: Connection, work: Coroutine[Any, Any, Any], name: str | None) -> "asyncio.Task[Any]":
        """Run a coroutine beside a connection; see `Connection.spawn`."""
        if connection not in self._open:
            work.close()
            raise connection.down()
        name = name or f"links: {connection.id} task"
        task = self.link.home.spawn(self._beside(work), name, partial(self._task_failed, connection))
        connection.tasks.add(task)
        task.add_done_callback(connection.tasks.discard)
        task.add_done_callback(lambda _: work.close())  # a task that is cancelled before its first step runs nothing
        return task

    async def _beside(self, work: Coroutine[Any, Any, Any]) -> Any:
        self.link.begin_task()
        return await work

    def _task_failed(self, connection: Connection, error: BaseException) -> None:
        if isinstance(error, LinkDown) and not connection.is_open:
            return
        logger.error("link %s: a task of connection %s failed", self.link.name, connection.id, exc_info=error)
        failure = Failure("task", f"a task failed: {type(error).__name__}", code=1011, side="us")
        self.link.home.spawn(connection.transport.end(failure), f"links: end of {connection.id}")

    def replace(self, connection: Connection, code: int) -> None:
        """Refuse events over a connection whose peer has connected again, and end its conversation."""
        self.replaced.add(connection)
        self._leave(connection, Failure("closed", "replaced by a newer connection", code=code, side="us"))

    def end(self, connection: Connection, failure: Failure) -> None:
        """Note the end of a connection: fail its calls, cancel its tasks, drop the messages of its conversation."""
        connection.failure = failure
        connection.is_ready = False
        for task in connection.tasks:
            task.cancel()
        self._leave(connection, failure)
        conversation = self._conversations.pop(connection, None)
        if conversation is not None:
            conversation.inbox.clear()

    def _leave(self, connection: Connection, failure: Failure) -> None:
        for connections in (self._open, self._ready):
            if connection in connections:
                connections.remove(connection)
        self.fail_calls(connection, failure)
        conversation = self._conversations.get(connection)
        if conversation is not None:
            conversation.inbox.close()

    def fail_calls(self, connection: Connection, failure: Failure) -> None:
        """Fail the calls that wait for a reply over a connection."""
        down = LinkDown(self.link.name, failure.text, failure.code)
        self.link.counters.calls_failed += self.pending.fail(down, connection)
        if not len(self.pending):
            self.inbox.allow_overflow(False)

    # Messages to the peer

    @property
    def sendable(self) -> Connection | None:
        """The latest of the connections that are open and have logged in."""
        return next((each for each in reversed(self._ready) if each.is_open), None)

    async def pace(self) -> None:
        """Wait until one more message may be sent, each caller in turn."""
        assert self.bucket is not None
        clock = self.link.clock
        async with self._pacing:
            while wait := self.bucket.take(clock.now().monotonic):
                await clock.sleep(wait)

    async def _transmit(self, connection: Connection, message: Data) -> None:
        await connection.transport.send(message)
        self.link.counters.sent += 1

    def count_sent(self) -> None:
        """Count a message that an open connection has taken."""
        self.link.counters.sent += 1

    async def send(self, data: Any) -> bool:
        """Send a message now, or keep it until the peer is back, after those that are kept; see `Link.send`."""
        message = encoded(data)
        async with self._sending:
            if self.bucket is not None and self.sendable is not None and not len(self.outbox):
                await self.pace()
            connection = self.sendable
            if connection is not None and not len(self.outbox):
                try:
                    await self._transmit(connection, message)
                except LinkDown:
                    self.link.counters.unsure += 1
                    raise
                return True
            gone = self.outbox.keep(message, self.link.clock.now().monotonic)
        if gone is None:
            self.link.counters.outbox_dropped += 1
            raise OutboxFull(self.link.name, len(self.outbox), self.outbox.size)
        self.link.report_dropped(gone)
        return False

    async def call(self, connection: Connection, message: Mapping[str, Any], within: float | None) -> Any:
        """Send a message and wait for its reply; see `Connection.call`."""
        field = self.link.options.reply_id
        if field is None:
            raise WrongSetup("reply_id", None, "the name of the field that ties a reply to its call")
        within = self.link.options.call_timeout if within is None else within
        call_id = message.get(field)
        if call_id is None:
            call_id = self.pending.new_id()
        counters = self.link.counters
        reply, inbox = self.pending.open(call_id, connection), self.inbox_of(connection)
        counters.calls += 1
        inbox.allow_overflow(True)
        try:
            async with asyncio.timeout(within):
                await connection.send({**message, field: call_id})
                return await reply
        except TimeoutError:
            counters.calls_failed += 1
            raise CallTimeout(self.link.name, within) from None
        finally:
            self.pending.give_up(call_id)
            if not len(self.pending):
                inbox.allow_overflow(False)

    def _is_reply(self, raw: Data) -> bool:
        field = self.link.options.reply_id
        try:
            value = parsed(raw)
            call_id = value.get(field)
            hash(call_id)
        except (ValueError, AttributeError, TypeError):
            return False
        if call_id is None:
            return False
        before = len(self.pending)
        if not self.pending.resolve(call_id, value):
            return False
        if len(self.pending) == before:
            self.link.counters.late_replies += 1
        return True


def _settle(outcome: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if outcome.done():
        return
    if error is None:
        outcome.set_result(result)
    else:
        outcome.set_exception(error)
        outcome.exception()  # seen, for perhaps nothing waits for it any more


def _copy(outcome: "asyncio.Future[Any]", first: "asyncio.Future[Any]") -> None:
    error = first.exception()
    _settle(outcome, None if error else first.result(), error)


async def _nothing() -> None:
    """Handle an event for which there is no handler."""
