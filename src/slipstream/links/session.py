"""One connection with a peer, and the session that outlives it: queue, dedupe window, outbox, calls, workers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Hashable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from pydantic_core import to_json
from starlette.datastructures import Headers

from slipstream.links.core import LinkCore
from slipstream.links.counters import is_power_of_two
from slipstream.links.delivery import Delivery, End
from slipstream.links.errors import (
    CallTimeout,
    CannotReceive,
    CannotSend,
    LinkDown,
    OutboxFull,
    WrongSetup,
    ends_task,
    logger,
)
from slipstream.links.handlers import described_without_input, id_of, parsed
from slipstream.links.outbox import Outbox
from slipstream.links.pending import DedupeWindow, PendingCalls
from slipstream.links.queue import Inbox, QueueClosed, QueueFull, Reader
from slipstream.links.redact import printable
from slipstream.links.rules import Failure, TokenBucket, closed
from slipstream.links.supervise import working_for

Data = str | bytes
Outcome = asyncio.Future[Any]
"""Of an event: what its handler returned or raised; or `Skipped`."""

_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})
_LONGEST_REASON = 123


class Connection:
    """One connection with a peer, dialled by us or by them, or one webhook request, or an answer to a poll.

    This class is that of an answer to a poll, which takes nothing; those of the others derive from it.

    Attributes:
        link: The link that it belongs to: `name`, `kind`, `options`, `status`.
        kind: The link's kind, which says who dialled: "websocket", "polling", "accepted" or "webhook".
        key: What distinguishes this peer from the others of the link; None where there is one.
        id: Name of the connection in logs, such as "prices#3"; no two of a process share one.
        url: Address that was dialled, or the path that the peer asked for. It may hold secrets.
        headers: Headers of the peer: of its answer to our handshake, or of its request.
        path_params: Parameters of the path, where the peer dialled.
        subprotocol: Sub-protocol agreed on, if any.
        state: Yours: whatever the program wants to remember about this connection.
        failure: Why the connection ended; None until it has.
    """

    slot_context: ClassVar = "link"
    """Says to `slipstream.handlers` that a parameter of this type gets the connection."""

    def __init__(
        self,
        session: "Session",
        url: str,
        headers: Headers,
        *,
        name: str | None = None,
        path_params: Mapping[str, Any] | None = None,
        subprotocol: str | None = None,
    ) -> None:
        self.session, self.link = session, session.link
        self.kind, self.key = session.link.kind, session.key
        self.id, self.url, self.headers = name or session.link.new_id(), url, headers
        self.path_params: Mapping[str, Any] = path_params or {}
        self.subprotocol = subprotocol
        self.state: dict[str, Any] = {}
        self.wire: Any = None  # a `slipstream._sockets.wire.Wire`, whose module is not loaded for this
        self.failure: Failure | None = None
        self.ended_by: Failure | None = None
        """Why this program has ended the connection."""
        self.conversation: Conversation | None = None
        self.is_ready = False
        self.is_replaced = False
        self.tasks: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return f"<Connection {self.id} {self.kind} {'open' if self.is_open else 'closed'}>"

    @property
    def last_id(self) -> Any:
        """Id of the latest event received from this peer, over all its connections; None before the first.

        An `opened` hook sends it to a peer that can resume.
        """
        return self.session.last_id

    @property
    def is_open(self) -> bool:
        """Whether something sent now may arrive."""
        return False

    async def send(self, data: Any) -> None:
        """Send one message when `rate` allows it: `str` and `bytes` as they are, all else as JSON text.

        Raises:
            LinkDown: The connection has ended; unlike `Link.send`, nothing is kept for later.
            CannotSend: The peer is polled, or the webhook's request has its answer.
        """
        if self.session.bucket is not None:
            await self.session.pace()
        message = encoded(data)
        if self.wire is None or not self.wire.send(message):
            if not self.is_open:
                raise CannotSend(self.link.name, self.kind) if self.kind == "polling" else self.down()
            await self.carry(message)
        self.link.counters.sent += 1

    async def carry(self, data: Data) -> None:
        """Send one message at once; raise `LinkDown` if the connection ended, and the message may be lost."""

    async def call(self, message: Mapping[str, Any], *, within: float | None = None) -> Any:
        """Send a JSON object as a message, wait for its reply, and return that, parsed.

        The field that the link's `reply_id` names is filled in, unless the message has one. The reply is the message
        with the same value there; it does not go to the handler. `within` is how many seconds to wait; by default the
        link's `call_timeout`.

        Raises:
            LinkDown: The connection ended before the reply came; raised at once. The peer may have acted.
            CallTimeout: No reply came in time.
            WrongSetup: The link has no `reply_id`.
        """
        link, pending, inbox = self.link, self.session.pending, self.inbox
        field, counters = link.options.reply_id, link.counters
        if field is None:
            raise WrongSetup("reply_id", None, "the name of the field that ties a reply to its call")
        within = link.options.call_timeout if within is None else within
        call_id = message.get(field)
        if call_id is None:
            call_id = pending.new_id()
        reply = pending.open(call_id, self)
        counters.calls += 1
        inbox.allow_overflow(True)
        try:
            async with asyncio.timeout(within):
                await self.send({**message, field: call_id})
                return await reply
        except TimeoutError:
            counters.calls_failed += 1
            raise CallTimeout(link.name, within) from None
        finally:
            pending.give_up(call_id)
            if not len(pending):
                inbox.allow_overflow(False)

    def fail_calls(self, failure: Failure) -> None:
        """Fail the calls that wait for a reply over the connection."""
        down = LinkDown(self.link.name, failure.text, failure.code)
        self.link.counters.calls_failed += self.session.pending.fail(down, self)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection with a close code, as RFC 6455 (section 7.4) has them; a link that dials then dials again.

        Raises:
            WrongSetup: A close frame cannot hold the code, or a reason of more than 123 bytes; the connection goes on.
        """
        check_close(code, reason)
        await self.hang_up(closed("us", code, reason))

    async def hang_up(self, failure: Failure) -> Failure:
        """End the connection with the code and the reason of a failure, which becomes the reason of its end."""
        return failure

    async def cut(self, failure: Failure) -> Failure:
        """End the connection because the peer says nothing; see `hang_up`."""
        return await self.hang_up(failure)

    async def end(self, failure: Failure) -> None:
        """Make the task that reads from the connection stop, and hang up."""
        await self.hang_up(failure)

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str | None = None) -> "asyncio.Task[Any]":
        """Run a coroutine beside the connection, such as a platform's own heartbeat, in a task of a name.

        It is cancelled when the connection ends. An error that it raises is logged and ends the connection with 1011
        and a `failure` of kind "task"; a `LinkDown` after the end of the connection is ignored.

        Raises:
            LinkDown: The connection has ended, or never opens: a webhook's request, an answer to a poll.
        """
        if not self.is_current:
            work.close()
            raise self.down()
        task = self.link.home.spawn(work, name or f"links: {self.id} task", self._task_failed, self.link)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def _task_failed(self, error: BaseException) -> None:
        if isinstance(error, LinkDown) and not self.is_open:
            return
        logger.error("link %s: a task of connection %s failed", self.link.name, self.id, exc_info=error)
        failure = Failure("task", f"a task failed: {type(error).__name__}", code=1011, side="us")
        self.link.home.spawn(self.end(failure), f"links: end of {self.id}")

    async def receive(self) -> Data:
        """Wait for the next message; in a `login` function, or where the handler holds the whole connection.

        Raises:
            LinkDown: The connection has ended.
            CannotReceive: The messages of the connection go to the handler, one by one.
        """
        if self.conversation is None:
            if self.is_current or self.kind in ("polling", "webhook"):
                raise CannotReceive(self.link.name, self.id)
            raise self.down()
        inbox = self.conversation.inbox
        try:
            item = await inbox.get()
        except QueueClosed:
            raise self.down() from None
        inbox.done()
        self.link.counters.handled += 1
        message: Data = item.event
        return message

    @property
    def inbox(self) -> "Inbox[Item]":
        """The queue for its messages."""
        return self.session.inbox if self.conversation is None else self.conversation.inbox

    @property
    def is_current(self) -> bool:
        """Whether it has begun, and neither ended nor been replaced by a newer one."""
        return self in self.session.connections and not self.is_replaced

    def scope(self) -> MutableMapping[str, Any]:
        """Return a scope for dependencies that ask for a Request, a header or a parameter of the path."""
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "root_path": "",
            "query_string": b"",
            "headers": self.headers.raw,
            "client": None,
            "server": None,
            "app": self.link.home.app,
            "path_params": dict(self.path_params),
            "state": dict(self.link.home.lifespan_state),
        }

    def down(self) -> LinkDown:
        """Return the error that says that the connection has ended."""
        code = self.failure.code if self.failure else None
        return LinkDown(self.link.name, f"connection {self.id} has ended", code)

    async def __aiter__(self) -> AsyncIterator[Data]:
        """Iterate over the messages until the connection ends; see `receive`."""
        while True:
            try:
                message = await self.receive()
            except LinkDown:
                return
            yield message


@dataclass(slots=True, eq=False)
class Item:
    """An event on its way to the handler, and the future that waits for its result."""

    connection: Connection
    event: Any
    event_id: Any = None
    outcome: Outcome | None = None


@dataclass(slots=True, eq=False)
class Conversation:
    """Messages for a handler that holds a whole connection, or for a login; `is_over` is set when it has returned."""

    inbox: Inbox[Item]
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


class Skipped(Exception):
    """An event was not handled, for a reason: "dropped", "lost", "refused"."""


class Session:
    """One peer of a link; its key tells it from the others."""

    def __init__(self, link: LinkCore, key: Hashable = None) -> None:
        self.link, self.key, options = link, key, link.options
        self.last_id: Any = None
        self.handled_id: Any = None
        self.pending = PendingCalls()
        self.bucket = None if options.rate is None else TokenBucket(options.rate, options.burst)
        self.connections: list[Connection] = []
        """Those that have begun and not ended."""
        self.inbox = Delivery(
            self, link.counters, f"links: {link.name} worker", options.queue, options.policy, options.concurrency
        )
        self.window = DedupeWindow(options.dedupe)
        self.outbox = Outbox(options.outbox, options.outbox_bytes, options.outbox_ttl, options.outbox_policy)
        self._in_hand: WeakValueDictionary[Hashable, Outcome] | None = None
        self._sending, self._pacing = asyncio.Lock(), asyncio.Lock()

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
        if not isinstance(item, Item):
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
        self, connection: Connection, raw: Any, *, is_new: bool = True, is_parsed: bool = False
    ) -> Outcome | None:
        """Give a reply to its call, or queue an event; return the outcome of the event, None if it is over already.

        A message that is not `is_new` has been counted, and has waited for the connection to log in; one that
        `is_parsed` is an event out of JSON. Raises `QueueFull` if the policy is "close", and `ValueError`, when that is
        counted and logged, for a message that is no event.
        """
        item = self._read(connection, raw, is_new, is_parsed)
        if not isinstance(item, Item):
            return item
        item.outcome = asyncio.get_running_loop().create_future()
        self._note(item)
        try:
            await (connection.inbox if is_new else self.inbox).put(item)
        except BaseException as error:
            self._refused(item)
            if isinstance(error, QueueClosed):
                return None
            raise
        if item.event_id is not None:
            self.last_id = item.event_id
        return item.outcome

    def _read(
        self, connection: Connection, raw: Any, is_new: bool = True, is_parsed: bool = False
    ) -> Item | Outcome | None:
        """Make an event of a message, or return the outcome of the one that it repeats; raise `ValueError` for none."""
        handler, counters = self.link.handler, self.link.counters
        if is_new:
            if self.pending.expects_replies and self._is_reply(raw):
                return None
            counters.received += 1
            # Later events of a connection that was replaced would come twice: the new one knows the latest id by then.
            if self.inbox.is_stopping or connection.is_replaced:
                counters.refused += 1
                return None
        if handler is None or handler.is_conversation or (is_new and connection.conversation is not None):
            return Item(connection, raw)
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
            first = None if self._in_hand is None else self._in_hand.get(event_id)
            return None if first is None or first.done() else first
        return Item(connection, event, event_id)

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

    def _skip(self, error: ValueError) -> None:
        number = self.link.counters.invalid = self.link.counters.invalid + 1
        if is_power_of_two(number):
            text, why = "link %s: skipped a message that is no event (%d so far): %s", described_without_input(error)
            logger.warning(text, self.link.name, number, why)

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
            with suppress(ValueError):
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
                    await connection.carry(message.data)
                    self.link.counters.sent += 1
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

    async def pace(self) -> None:
        """Wait until one more message may be sent, by the link's `rate`, each caller in turn."""
        if self.bucket is None:
            return
        clock = self.link.clock
        async with self._pacing:
            while wait := self.bucket.take(clock.now().monotonic):
                await clock.sleep(wait)

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
                    await connection.carry(message)
                except LinkDown:
                    self.link.counters.unsure += 1
                    raise
                self.link.counters.sent += 1
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


async def current_connection(connection: Connection) -> Connection:
    """Return the connection to a dependency of a handler: `Annotated[Connection, Depends(current_connection)]`."""
    return connection


def check_close(code: int, reason: str) -> None:
    """Raise `WrongSetup` unless a close frame can hold a code and a reason."""
    if not (code in _CLOSE_CODES or 3000 <= code < 5000):
        raise WrongSetup("code", code, "1000 to 1003, 1007 to 1014, or 3000 to 4999")
    if len(reason.encode("utf-8", "replace")) > _LONGEST_REASON:
        raise WrongSetup("reason", printable(reason), f"at most {_LONGEST_REASON} bytes of UTF-8")


def encoded(data: Any) -> Data:
    """Return a value as a message: `str` and `bytes` as they are, all else as JSON text."""
    if isinstance(data, str | bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    return as_json(data)


def as_json(value: Any) -> str:
    """Write a value as JSON; numbers that JSON does not have, NaN and the infinities, as null."""
    return to_json(value, inf_nan_mode="null").decode()


def _settle(outcome: Outcome | None, result: Any = None, error: BaseException | None = None) -> None:
    if outcome is None or outcome.done():
        return
    if error is None:
        outcome.set_result(result)
    else:
        outcome.set_exception(error)
        outcome.exception()  # seen, for perhaps nothing waits for it any more
