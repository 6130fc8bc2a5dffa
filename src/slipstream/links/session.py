"""What outlives one connection with one peer: queue, dedupe window, outbox, calls, and the workers."""

import asyncio
from collections.abc import Awaitable, Hashable
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from slipstream.links.connection import Connection, Conversation, Data, Item, LinkFacts, Peer, encoded
from slipstream.links.counters import is_power_of_two
from slipstream.links.dedupe import DedupeWindow
from slipstream.links.delivery import Delivery, End
from slipstream.links.errors import LinkDown, OutboxFull, ends_task, logger
from slipstream.links.handlers import described_without_input, id_of, parsed
from slipstream.links.outbox import Outbox
from slipstream.links.queue import Inbox, QueueClosed, QueueFull, Reader
from slipstream.links.rules import Failure
from slipstream.links.supervise import working_for


class Skipped(Exception):
    """An event was not handled, for a reason: "dropped", "lost", "refused"."""


class Session(Peer):
    """One peer of a link; its key tells it from the others."""

    def __init__(self, link: LinkFacts, key: Hashable = None) -> None:
        super().__init__(link, key)
        options = link.options
        self.inbox = Delivery(
            self, link.counters, f"links: {link.name} worker", options.queue, options.policy, options.concurrency
        )
        self.window = DedupeWindow(options.dedupe)
        self.outbox = Outbox(options.outbox, options.outbox_bytes, options.outbox_ttl, options.outbox_policy)
        self.handled_id: Any = None
        self._in_hand: WeakValueDictionary[Hashable, asyncio.Future[Any]] | None = None
        self._sending = asyncio.Lock()

    # Life

    def employ(self) -> None:
        """Let events be handled."""
        self._sending, self._pacing = asyncio.Lock(), asyncio.Lock()  # of this event loop
        self.inbox.context.run(working_for.set, self.link)
        self.inbox.employ(self.link.home.spawn)

    async def dismiss(self) -> None:
        """Cancel the workers and their handlers; events that wait are counted as lost."""
        self.inbox.is_stopping = True
        for inbox in self.inboxes:
            inbox.clear()
        if workers := self.inbox.cancel():
            await asyncio.wait(workers)

    # Events

    def take(self, connection: Connection, message: Data, reader: Reader, is_alone: bool) -> bool:
        """Take one message of the peer without waiting; return whether there was room.

        If not, `reader` is called when there is. `is_alone` says that no other message has come with it. `QueueFull` is
        raised as by `deliver`.
        """
        try:
            item = self._read(connection, message)
        except ValueError:
            return True
        if isinstance(item, bool):
            return True
        self._note(item)
        last_id = self.last_id
        if item.event_id is not None:
            self.last_id = item.event_id
        try:
            return connection.inbox.offer(item, reader, is_alone=is_alone)
        except (QueueFull, QueueClosed) as error:
            self.last_id = last_id
            self._refused(item)
            if isinstance(error, QueueFull):
                raise
            return True

    async def deliver(
        self,
        connection: Connection,
        raw: Any,
        outcome: "asyncio.Future[Any] | None" = None,
        *,
        is_strict: bool = False,
        is_new: bool = True,
        is_parsed: bool = False,
    ) -> bool:
        """Give a reply to its call, queue an event, skip other messages; return whether an event was queued.

        `outcome` gets the result of the event. A message that is not `is_new` has been counted, and has waited for the
        connection to log in; one that `is_parsed` is an event out of JSON. Raises `QueueFull` if the policy is "close",
        and, if `is_strict`, `ValueError` for a message that is no event.
        """
        try:
            item = self._read(connection, raw, outcome, is_new, is_parsed)
        except ValueError:
            if is_strict:
                raise
            return False
        if isinstance(item, bool):
            return item
        self._note(item)
        try:
            await (connection.inbox if is_new else self.inbox).put(item)
        except BaseException as error:
            self._refused(item)
            if isinstance(error, QueueClosed):
                return False
            raise
        if item.event_id is not None:
            self.last_id = item.event_id
        return True

    def _read(
        self,
        connection: Connection,
        raw: Any,
        outcome: "asyncio.Future[Any] | None" = None,
        is_new: bool = True,
        is_parsed: bool = False,
    ) -> Item | bool:
        """Make an event of a message, or return whether it repeats one in handling; raise `ValueError` for none."""
        handler, counters = self.link.handler, self.link.counters
        if is_new:
            if self.pending.expects_replies and self._is_reply(raw):
                return False
            counters.received += 1
            # Later events of a connection that was replaced would come twice: the new one knows the latest id by then.
            if self.inbox.is_stopping or connection.is_replaced:
                counters.refused += 1
                return False
            if connection.conversation is not None:
                return Item(connection, raw, None, outcome)
        if handler is None or handler.is_conversation:
            return Item(connection, raw, None, outcome)
        try:
            event = handler.read_value(raw) if is_parsed else handler.read(raw)
        except ValueError as error:
            self._skip(error)
            raise
        try:
            event_id = id_of(event, self.link.options.event_id)
            hash(event_id)
        except BaseException as error:  # of a function of the program
            if ends_task(error):
                raise
            unreadable = ValueError(f"its id cannot be read: {type(error).__name__}")
            self._skip(unreadable)
            raise unreadable from error
        if event_id is not None and event_id in self.window:
            counters.duplicates += 1
            return outcome is not None and self._follow(event_id, outcome)
        return Item(connection, event, event_id, outcome)

    def _note(self, item: Item) -> None:
        """Remember an event's id before the wait for room: another connection of the peer may bring it too."""
        if item.event_id is not None:
            self.window.add(item.event_id)
            if item.outcome is not None:
                if self._in_hand is None:
                    self._in_hand = WeakValueDictionary()
                self._in_hand[item.event_id] = item.outcome

    def _refused(self, item: Item) -> None:
        """Count an event for which there was no room; the peer has to send it again."""
        self.link.counters.refused += 1
        self.window.discard(item.event_id)
        _settle(item.outcome, error=Skipped("refused"))

    def _follow(self, event_id: Hashable, outcome: "asyncio.Future[Any]") -> bool:
        """Give a repeat the result of its event; return whether that is still in handling."""
        first = None if self._in_hand is None else self._in_hand.get(event_id)
        if first is None or first.done():
            outcome.set_result(None)
            return False
        first.add_done_callback(partial(_copy, outcome))
        return True

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
        return asyncio.sleep(0) if handler is None else handler.run(item.connection, item.event)

    def ended(self, item: Item, end: End, result: Any) -> None:
        """Forget, log and settle an event by its end."""
        if end == "handled":
            if item.event_id is not None:
                self.handled_id = item.event_id
            _settle(item.outcome, result)
            return
        if end != "failed":
            self.window.discard(item.event_id)
            _settle(item.outcome, error=Skipped(end))
            return
        if self.link.kind == "webhook":  # its sender gets 500, and may send it again
            self.window.discard(item.event_id)
        name = self.link.handler.name if self.link.handler else "a handler"
        logger.error("link %s: %s failed on an event", self.link.name, name, exc_info=result)
        other = RuntimeError(f"the handler raised {type(result).__name__}")
        _settle(item.outcome, error=result if isinstance(result, Exception) else other)

    # Connections

    @property
    def is_conversation(self) -> bool:
        """Whether the handler reads the messages itself."""
        return self.link.handler is not None and self.link.handler.is_conversation

    @property
    def connection(self) -> Connection | None:
        """The latest of the peer's connections that have neither ended nor been replaced; None while it is away."""
        return next((each for each in reversed(self.connections) if not each.is_replaced), None)

    @property
    def inboxes(self) -> list[Inbox[Item]]:
        """All queues for messages of the peer."""
        return [self.inbox, *(each.conversation.inbox for each in self.connections if each.conversation is not None)]

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
            connection.conversation = Conversation(Inbox(options.queue, options.policy, self.inbox.drop))
        self.connections.append(connection)

    async def release(self, connection: Connection) -> None:
        """Give what came during the login, and was not received, to the handler; raise `QueueFull` by its policy."""
        conversation = connection.conversation
        if conversation is None or self.is_conversation:
            return
        inbox = conversation.inbox
        # New messages go behind those that wait, until none waits.
        while len(inbox) or inbox.is_blocked:
            item = await inbox.get()
            inbox.done()
            await self.deliver(connection, item.event, is_new=False)
        connection.conversation = None
        conversation.is_over.set()

    async def ready(self, connection: Connection) -> None:
        """Let a connection that has logged in take messages; first those of the outbox."""
        connection.is_ready = True
        while connection.is_ready and connection.is_open and len(self.outbox):
            await self.pace()
            async with self._sending:
                message, expired = self.outbox.take(self.link.clock.now().monotonic)
                self.link.report_dropped(expired)
                if message is None:
                    return
                try:
                    await connection.transport.send(message.data)
                    self.count_sent()
                except LinkDown:
                    self.link.counters.unsure += 1

    def replace(self, connection: Connection, code: int) -> None:
        """Refuse events over a connection whose peer has connected again, and end its conversation."""
        connection.is_replaced = True
        self._leave(connection, Failure("closed", "replaced by a newer connection", code=code, side="us"))

    def end(self, connection: Connection, failure: Failure) -> None:
        """Note the end of a connection: fail its calls, cancel its tasks, drop the messages of its conversation."""
        connection.failure = failure
        for task in connection.tasks:
            task.cancel()
        self._leave(connection, failure)
        self.connections.remove(connection)
        if connection.conversation is not None:
            connection.conversation.inbox.clear()
            connection.conversation = None

    def _leave(self, connection: Connection, failure: Failure) -> None:
        connection.is_ready = False
        connection.fail_calls(failure)
        if connection.conversation is not None:
            connection.conversation.inbox.close()

    # Messages to the peer

    @property
    def sendable(self) -> Connection | None:
        """The latest of the connections that are open and have logged in."""
        return next((each for each in reversed(self.connections) if each.is_ready and each.is_open), None)

    async def send(self, data: Any) -> bool:
        """Send a message now, or keep it until the peer is back, after those that are kept; see `Link.send`."""
        message = encoded(data)
        async with self._sending:
            if self.sendable is not None and not len(self.outbox):
                await self.pace()
            connection = self.sendable
            if connection is not None and not len(self.outbox):
                try:
                    await connection.transport.send(message)
                except LinkDown:
                    self.link.counters.unsure += 1
                    raise
                self.count_sent()
                return True
            gone = self.outbox.keep(message, self.link.clock.now().monotonic)
        if gone is None:
            self.link.counters.outbox_dropped += 1
            raise OutboxFull(self.link.name, len(self.outbox), self.outbox.size)
        self.link.report_dropped(gone)
        return False

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


def _settle(outcome: "asyncio.Future[Any] | None", result: Any = None, error: BaseException | None = None) -> None:
    if outcome is None or outcome.done():
        return
    if error is None:
        outcome.set_result(result)
    else:
        outcome.set_exception(error)
        outcome.exception()  # seen, for perhaps nothing waits for it any more


def _copy(outcome: "asyncio.Future[Any]", first: "asyncio.Future[Any]") -> None:
    error = first.exception()
    _settle(outcome, None if error else first.result(), error)
