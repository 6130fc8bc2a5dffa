"""A connection as a handler sees it: dialled, accepted, polled, or a webhook's request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pydantic_core import to_json
from starlette.datastructures import Headers

from slipstream.links.counters import Counters
from slipstream.links.delivery import Delivery
from slipstream.links.errors import CallTimeout, CannotReceive, CannotSend, LinkDown, WrongSetup, logger
from slipstream.links.handlers import Handler
from slipstream.links.outbox import Dropped
from slipstream.links.pending import PendingCalls
from slipstream.links.queue import Inbox, QueueClosed
from slipstream.links.redact import printable
from slipstream.links.rules import Failure, TokenBucket, closed
from slipstream.links.setup import LinkKind, Options
from slipstream.links.state import Clock, Status
from slipstream.links.supervise import Home

Data = str | bytes

_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})
_LONGEST_REASON = 123


class Transport:
    """What carries messages: a library's connection, or a request; this one, of an answer to a poll, is closed."""

    ended_by: Failure | None = None
    """Why this program has ended the connection."""

    @property
    def is_open(self) -> bool:
        """Whether something sent now may arrive."""
        return False

    async def send(self, data: Data) -> None:
        """Send one message; raise `LinkDown` if the connection ended, and the message may be lost."""

    async def close(self, failure: Failure) -> None:
        """End the connection with the code and the reason of a failure, which becomes the reason of its end."""

    async def end(self, failure: Failure) -> None:
        """Make the task that reads from the connection stop, and close it as `close` does."""
        await self.close(failure)


class LinkFacts(Protocol):
    """What connections and sessions use of their link; `status.failure` has the end of the connection before."""

    name: str
    kind: LinkKind
    options: Options
    status: Status
    handler: Handler | None
    hooks: Mapping[str, list[Callable[..., Any]]]
    counters: Counters
    clock: Clock
    home: Home

    def report_dropped(self, dropped: list[Dropped]) -> None:
        """Report messages that an outbox dropped."""


class Peer:
    """What outlives a connection, as far as connections use it: the base of `Session`."""

    inbox: "Delivery[Item]"
    """The queue of events, and the workers that handle them."""

    def __init__(self, link: LinkFacts, key: Hashable) -> None:
        self.link, self.key = link, key
        self.last_id: Any = None
        self.pending = PendingCalls()
        rate = link.options.rate
        self.bucket = None if rate is None else TokenBucket(rate, link.options.burst)
        self.connections: list[Connection] = []
        """Those that have begun and not ended."""
        self._pacing = asyncio.Lock()

    async def pace(self) -> None:
        """Wait until one more message may be sent, by the link's `rate`, each caller in turn."""
        if self.bucket is None:
            return
        clock = self.link.clock
        async with self._pacing:
            while wait := self.bucket.take(clock.now().monotonic):
                await clock.sleep(wait)

    def count_sent(self) -> None:
        """Count a message that an open connection has taken."""
        self.link.counters.sent += 1


class Connection:
    """One connection with a peer, dialled by us or by them, or one webhook request, or the answers to polls.

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
        peer: Peer,
        transport: Transport,
        *,
        name: str,
        url: str,
        headers: Headers,
        path_params: Mapping[str, Any] | None = None,
        subprotocol: str | None = None,
    ) -> None:
        self.peer, self.transport = peer, transport
        self.link, self.kind, self.key = peer.link, peer.link.kind, peer.key
        self.id, self.url, self.headers = name, url, headers
        self.path_params: Mapping[str, Any] = path_params or {}
        self.subprotocol = subprotocol
        self.state: dict[str, Any] = {}
        self.wire: Any = None  # a `slipstream._sockets.wire.Wire`, whose module is not loaded for this
        self.failure: Failure | None = None
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
        return self.peer.last_id

    @property
    def is_open(self) -> bool:
        """Whether something sent now may arrive."""
        return self.transport.is_open

    async def send(self, data: Any) -> None:
        """Send one message when `rate` allows it: `str` and `bytes` as they are, all else as JSON text.

        Raises:
            LinkDown: The connection has ended; unlike `Link.send`, nothing is kept for later.
            CannotSend: The peer is polled, or the webhook's request has its answer.
        """
        if self.peer.bucket is not None:
            await self.peer.pace()
        message = encoded(data)
        if self.wire is not None and self.wire.send(message):
            self.peer.count_sent()
            return
        if not self.transport.is_open:
            if self.kind == "polling":
                raise CannotSend(self.link.name, self.kind)
            raise self.down()
        await self.transport.send(message)
        self.peer.count_sent()

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
        field, pending, inbox, counters = self.link.options.reply_id, self.peer.pending, self.inbox, self.link.counters
        if field is None:
            raise WrongSetup("reply_id", None, "the name of the field that ties a reply to its call")
        within = self.link.options.call_timeout if within is None else within
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
            raise CallTimeout(self.link.name, within) from None
        finally:
            pending.give_up(call_id)
            if not len(pending):
                inbox.allow_overflow(False)

    def fail_calls(self, failure: Failure) -> None:
        """Fail the calls that wait for a reply over the connection."""
        down = LinkDown(self.link.name, failure.text, failure.code)
        self.link.counters.calls_failed += self.peer.pending.fail(down, self)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection with a close code, as RFC 6455 (section 7.4) has them; a link that dials then dials again.

        Raises:
            WrongSetup: A close frame cannot hold the code, or a reason of more than 123 bytes; the connection goes on.
        """
        check_close(code, reason)
        await self.transport.close(closed("us", code, reason))

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
        self.link.home.spawn(self.transport.end(failure), f"links: end of {self.id}")

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
        return self.peer.inbox if self.conversation is None else self.conversation.inbox

    @property
    def is_current(self) -> bool:
        """Whether it has begun, and neither ended nor been replaced by a newer one."""
        return self in self.peer.connections and not self.is_replaced

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
    outcome: "asyncio.Future[Any] | None" = None


@dataclass(slots=True, eq=False)
class Conversation:
    """Messages for a handler that holds a whole connection, or for a login; `is_over` is set when it has returned."""

    inbox: Inbox[Item]
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


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
